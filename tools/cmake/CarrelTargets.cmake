# One folder, one target, and a wrong include fails to build: a target sees the headers of a folder only through a
# link farm of its own (build/include/TARGET/vmm/base -> source/vmm/base), which it gets by linking that folder's
# target. So "vmm/kvm/vm.h" can't be found from devices/, however the include is written.

find_package(Threads REQUIRED)
include(Linking)

add_library(carrel_flags INTERFACE)
target_compile_options(carrel_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
                                              -Woverloaded-virtual -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  target_compile_options(carrel_flags INTERFACE -Wthread-safety -Werror=thread-safety)
endif()
if(CARREL_WERROR)
  target_compile_options(carrel_flags INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # With -Os, GCC copies byte by byte in place (rep movsb), kernel images of 60 MB too.
  target_compile_options(carrel_flags INTERFACE $<$<CONFIG:Release>:-mstringop-strategy=libcall>)
endif()
if(CARREL_SANITIZE)
  target_compile_options(carrel_flags INTERFACE -fsanitize=${CARREL_SANITIZE} -fno-sanitize-recover=all
                                                -fno-omit-frame-pointer)
  target_link_options(carrel_flags INTERFACE -fsanitize=${CARREL_SANITIZE})
endif()
if(CARREL_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # It knows no fences, and says so. Ours order what a guest sees, of whom it knows nothing, either.
  target_compile_options(carrel_flags INTERFACE -Wno-tsan)
endif()
if(CARREL_FUZZ)
  target_compile_options(carrel_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(CARREL_STATIC)
  target_compile_options(carrel_flags INTERFACE -fPIE -ffunction-sections -fdata-sections -fvisibility=hidden
                                                -fvisibility-inlines-hidden)
endif()
target_link_libraries(carrel_flags INTERFACE Threads::Threads)

# carrel_tidy(NAME): clang-tidy reads the target NAME's sources as they are compiled, where CARREL_TIDY asks for it.
if(CARREL_TIDY)
  find_program(CARREL_CLANG_TIDY clang-tidy)
  mark_as_advanced(CARREL_CLANG_TIDY)
  if(NOT CARREL_CLANG_TIDY)
    message(FATAL_ERROR "CARREL_TIDY needs clang-tidy; tools/install-deps --test installs it")
  endif()
endif()
function(carrel_tidy NAME)
  if(CARREL_TIDY)
    set_target_properties(${NAME} PROPERTIES CXX_CLANG_TIDY "${CARREL_CLANG_TIDY};--quiet")
  endif()
endfunction()

# carrel_whole_program(NAME): releases are optimized as one program. 244 KiB less of it is resident while the built-in
# guest runs, of 1,868, and what runs for each request is inlined across files. (Clang's objects need its own linker.)
function(carrel_whole_program NAME)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    set_target_properties(${NAME} PROPERTIES INTERPROCEDURAL_OPTIMIZATION_RELEASE ON)
  endif()
endfunction()

# carrel_folder(NAME FOLDER path [ASIDE] SOURCES … LINK …): the library of one folder. With no sources it is header-only.
# ASIDE: no guest's run needs it. It isn't optimized with the rest, and lies behind it in the binary: between what does run,
# 490 KiB more were resident.
function(carrel_folder NAME)
  cmake_parse_arguments(ARG "ASIDE" "FOLDER" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  set(farm "${CMAKE_BINARY_DIR}/include/${NAME}")
  get_filename_component(parent "${farm}/${ARG_FOLDER}" DIRECTORY)
  file(MAKE_DIRECTORY "${parent}")
  file(CREATE_LINK "${CMAKE_SOURCE_DIR}/${ARG_FOLDER}" "${farm}/${ARG_FOLDER}" SYMBOLIC)
  if(ARG_SOURCES)
    add_library(${NAME} STATIC ${ARG_SOURCES})
    target_include_directories(${NAME} PUBLIC "${farm}")
    target_link_libraries(${NAME} PUBLIC ${ARG_LINK} PRIVATE carrel_flags ${ARG_PRIVATE_LINK})
    carrel_tidy(${NAME})
    if(NOT ARG_ASIDE)
      carrel_whole_program(${NAME})
    elseif(CARREL_STATIC)
      add_custom_command(TARGET ${NAME} POST_BUILD VERBATIM
        COMMAND "${CMAKE_SOURCE_DIR}/tools/cmake/put_aside.sh" "${CMAKE_OBJCOPY}" "${CMAKE_OBJDUMP}" "$<TARGET_FILE:${NAME}>")
    endif()
  else()
    add_library(${NAME} INTERFACE)
    target_include_directories(${NAME} INTERFACE "${farm}")
    target_link_libraries(${NAME} INTERFACE ${ARG_LINK})
  endif()
endfunction()

# carrel_unit_test(NAME SOURCES … LINK …): one Catch2 program without KVM, known to CTest.
function(carrel_unit_test NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${NAME} ${ARG_SOURCES})
  target_link_libraries(${NAME} PRIVATE carrel_flags carrel_catch ${ARG_LINK})
  add_test(NAME ${NAME} COMMAND ${NAME})
  set_tests_properties(${NAME} PROPERTIES TIMEOUT 120 LABELS unit)
endfunction()

# carrel_fuzz_target(NAME SOURCES … LINK …): a libFuzzer program; built with CARREL_FUZZ only.
function(carrel_fuzz_target NAME)
  if(NOT CARREL_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${NAME} ${ARG_SOURCES})
  target_compile_options(${NAME} PRIVATE -fsanitize=fuzzer)
  target_link_options(${NAME} PRIVATE -fsanitize=fuzzer)
  target_link_libraries(${NAME} PRIVATE carrel_flags ${ARG_LINK})
endfunction()

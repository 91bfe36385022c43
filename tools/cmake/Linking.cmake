# How the carrel binary is linked. CARREL_STATIC: everything in one position-independent file (static-pie), so that a
# start costs no symbol lookups and few relocations, and addresses are still random. `carrel version` from exec to its
# end, in virtual ms (tools/kvm-host --icount; a program that does nothing: 0.6), and what `carrel run` keeps resident
# outside guest RAM at the embedded guest's prompt:
#   dynamic                                    11.2 ms   8,430 KiB
#   dynamic, but libstdc++ and libgcc           8.3 ms
#   only libc and libm dynamic                  2.7 ms   3,590 KiB
#   static-pie, Capstone for all processors     6.2 ms   6,030 KiB
#   static-pie, Capstone for x86                1.8 ms   2,820 KiB
#   static, at fixed addresses                  1.5 ms   2,730 KiB
# All at -O2; at -Os, which releases use, the last but one needs the same time and 2,330 KiB, 2,240 sorted as below. Of the
# 1.8 ms, CLI11's tables of options are 0.3 and the setting up of iostreams and locales is 0.07. Most of what is resident
# are pages of the file that the kernel maps around the few that are touched.
# Debian's -dev packages carry the archives; fmt's carries none, so that its one source file is compiled here. A static
# binary gets a library's security fixes by being built anew: distributions will want CARREL_STATIC=OFF.
include_guard()

set(CARREL_ARCHIVES libc.a libz.a liblzma.a libzstd.a liblz4.a libcapstone.a)
foreach(archive ${CARREL_ARCHIVES})
  find_library(CARREL_ARCHIVE_${archive} NAMES ${archive})
  mark_as_advanced(CARREL_ARCHIVE_${archive})
  if(NOT CARREL_ARCHIVE_${archive})
    list(APPEND CARREL_MISSING_ARCHIVES ${archive})
  endif()
endforeach()

set(default OFF)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT CARREL_SANITIZE)
  set(default ON)
  if(CARREL_MISSING_ARCHIVES)
    set(default OFF)
    message(STATUS "Linking dynamically, a slower start: there is no ${CARREL_MISSING_ARCHIVES}")
  endif()
endif()
option(CARREL_STATIC "Link everything into one static position-independent binary" ${default})

find_package(fmt REQUIRED)
if(CARREL_STATIC)
  get_target_property(fmt_include fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
  add_library(carrel_fmt STATIC "${CMAKE_CURRENT_LIST_DIR}/static/fmt.cpp")
  target_include_directories(carrel_fmt SYSTEM PUBLIC ${fmt_include})
  target_compile_options(carrel_fmt PRIVATE -fPIE -ffunction-sections -fdata-sections -fvisibility=hidden)

  add_library(carrel_capstone_x86_only OBJECT "${CMAKE_CURRENT_LIST_DIR}/static/capstone_x86_only.c")
  target_compile_options(carrel_capstone_x86_only PRIVATE -fPIE)
  add_library(carrel_capstone INTERFACE)
  target_link_libraries(carrel_capstone INTERFACE $<TARGET_OBJECTS:carrel_capstone_x86_only>
                                                  "${CARREL_ARCHIVE_libcapstone.a}")
else()
  add_library(carrel_fmt INTERFACE)
  target_link_libraries(carrel_fmt INTERFACE fmt::fmt)
  add_library(carrel_capstone INTERFACE)
  target_link_libraries(carrel_capstone INTERFACE capstone)
endif()

# carrel_fast_code(FILE...): -O2 for what runs for each request, or over whole kernel images; releases are built with -Os
# otherwise. A disk's request costs 1,012 instructions of ours that way, 1,278 with -Os alone.
function(carrel_fast_code)
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "$<$<CONFIG:Release>:-O2>")
endfunction()

# carrel_link_program(NAME): links the program NAME as chosen above. Linux makes a file's pages resident by aligned pieces of
# 64 KiB. Sorted by name, our own functions and constants lie together and apart from the libraries': 212 KiB less are
# touched than in the linker's own order. And the segments are aligned to such pieces, else the address that the kernel draws
# for us moves their borders: one binary was 1,884, 2,008 or 2,132 KiB.
function(carrel_link_program NAME)
  if(NOT CARREL_STATIC)
    return()
  endif()
  target_link_options(${NAME} PRIVATE -static-pie LINKER:--gc-sections LINKER:--sort-section=name
                                      LINKER:-z,max-page-size=65536 LINKER:-z,pack-relative-relocs LINKER:-z,now)
endfunction()

/* For static links: Capstone's archive starts every processor that it knows from one table. Defining the
 * others' entries here, before the archive is searched, leaves their 5 MB and 75,000 relocations out:
 * cs_open() refuses them. */
#include <capstone/capstone.h>
#include <stddef.h>

#define REFUSE(NAME)                                              \
    cs_err NAME##_global_init(void* handle);                      \
    cs_err NAME##_option(void* handle, cs_opt_type, size_t);      \
    cs_err NAME##_global_init(void* handle) {                     \
        (void)handle;                                             \
        return CS_ERR_ARCH;                                       \
    }                                                             \
    cs_err NAME##_option(void* handle, cs_opt_type t, size_t v) { \
        (void)handle, (void)t, (void)v;                           \
        return CS_ERR_ARCH;                                       \
    }

REFUSE(AArch64)
REFUSE(ARM)
REFUSE(EVM)
REFUSE(M680X)
REFUSE(M68K)
REFUSE(Mips)
REFUSE(PPC)
REFUSE(Sparc)
REFUSE(SystemZ)
REFUSE(TMS320C64x)
REFUSE(XCore)
/* Since version 5. */
REFUSE(BPF)
REFUSE(MOS65XX)
REFUSE(RISCV)
REFUSE(SH)
REFUSE(TRICORE)
REFUSE(WASM)

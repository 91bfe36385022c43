#!/usr/bin/python3
"""usage: vmlinux.py BZIMAGE OUT

Unpacks the ELF kernel out of a bzImage. The setup header (Documentation/arch/x86/boot.rst) says where the
payload lies; Debian's kernels hold an lz4, zstd or xz stream, which the command of the same name unpacks.
"""
import struct
import subprocess
import sys

SETUP_SECTS, HEADER_MAGIC, PAYLOAD_OFFSET, PAYLOAD_LENGTH = 0x1F1, 0x202, 0x248, 0x24C
UNPACKERS = {
    b"\x02\x21\x4c\x18": ["lz4", "-d", "-c", "-q"],
    b"\x28\xb5\x2f\xfd": ["zstd", "-d", "-c", "-q"],
    b"\xfd7zX": ["xz", "-d", "-c", "-q", "--single-stream"],
    b"\x1f\x8b\x08\x00": ["gzip", "-d", "-c", "-q"],
}


def payload(image):
    """The packed kernel, without the four bytes of unpacked size that the build appends to it."""
    if image[HEADER_MAGIC:HEADER_MAGIC + 4] != b"HdrS":
        sys.exit(f"{sys.argv[1]}: not a bzImage (no HdrS at 0x202)")
    protected_mode = (image[SETUP_SECTS] + 1) * 512
    offset, length = struct.unpack_from("<II", image, PAYLOAD_OFFSET)
    return image[protected_mode + offset:protected_mode + offset + length - 4]


def main():
    with open(sys.argv[1], "rb") as file:
        packed = payload(file.read())
    command = UNPACKERS.get(packed[:4])
    if command is None:
        sys.exit(f"{sys.argv[1]}: payload starts with {packed[:4].hex()}: not lz4, zstd, xz or gzip")
    unpacked = subprocess.run(command, input=packed, stdout=subprocess.PIPE, check=False).stdout
    if unpacked[:4] != b"\x7fELF":
        sys.exit(f"{sys.argv[1]}: the unpacked payload is no ELF file")
    with open(sys.argv[2], "wb") as file:
        file.write(unpacked)


main()

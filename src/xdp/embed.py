#!/usr/bin/python3
"""Compiles the program for the kernel and writes it as an array in C.

embed.py CLANG SOURCE OUT.c [CLANG'S ARGUMENT]..."""
import os
import subprocess
import sys

clang, source, out, *args = sys.argv[1:]
made = out + ".bpf"
# -g for the types of the maps, which libbpf reads; no path of this machine goes in.
subprocess.run([clang, "-O2", "-g", "-target", "bpf", "-Wall", "-Werror",
                "-fdebug-compilation-dir=.", f"-fdebug-prefix-map={os.path.dirname(source)}=.",
                *args, "-c", source, "-o", made], check=True)
with open(made, "rb") as f:
    code = f.read()
os.unlink(made)
with open(out, "w") as f:
    f.write('#include "xdp/xdp_int.h"\n\nconst _Alignas(8) unsigned char xdp_object[] = {\n')
    for i in range(0, len(code), 16):
        f.write("    " + " ".join(f"0x{b:02x}," for b in code[i:i + 16]) + "\n")
    f.write("};\nconst size_t xdp_object_bytes = sizeof(xdp_object);\n")

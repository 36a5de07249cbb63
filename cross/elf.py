"""What cross/build and cross/size must know of an ELF file, whatever machine it is for.

As a program: `elf.py strip FROM TO` writes what a kernel loads and nothing else. The tools that
usually do this each know a few machines only.
"""

import os
import struct
import sys

LOADED = 1
SYMBOLS = 2
NOTHING = 8
ALLOCATED = 2


class Elf:
    """A file's bytes and its tables."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        if self.bytes[:4] != b"\x7fELF":
            raise ValueError(f"{path} is no ELF file")
        self.wide = self.bytes[4] == 2
        self.order = "<" if self.bytes[5] == 1 else ">"

    def fields(self, form, at):
        """Numbers at a place in the file."""
        return struct.unpack_from(self.order + form, self.bytes, at)

    def loaded_end(self):
        """Where the last byte ends that is loaded into memory."""
        start = self.fields("Q", 32)[0] if self.wide else self.fields("I", 28)[0]
        size, count = self.fields("HH", 54 if self.wide else 42)
        end = start + size * count
        for number in range(count):
            at = start + number * size
            if self.wide:
                kind, _, offset, _, _, length = self.fields("IIQQQQ", at)
            else:
                kind, offset, _, _, length = self.fields("IIIII", at)
            if kind == LOADED:
                end = max(end, offset + length)
        return end

    def sections(self):
        """Each section as (name, type, flags, address, offset, size, link, entry size)."""
        start = self.fields("Q", 40)[0] if self.wide else self.fields("I", 32)[0]
        size, count, names = self.fields("HHH", 58 if self.wide else 46)
        form = "IIQQQQIIQQ" if self.wide else "IIIIIIIIII"
        rows = [self.fields(form, start + number * size) for number in range(count)]
        texts = rows[names][4]
        return [
            (self.text(texts + name), kind, flags, address, offset, length, link, entry)
            for name, kind, flags, address, offset, length, link, _, _, entry in rows
        ]

    def text(self, at):
        """The text that ends with a zero."""
        return self.bytes[at : self.bytes.index(b"\0", at)].decode()

    def symbols(self):
        """Each function and constant as (name, size), once where several names mean one."""
        sections = self.sections()
        found = {}
        for _, kind, _, _, offset, length, link, entry in sections:
            if kind != SYMBOLS:
                continue
            for at in range(offset, offset + length, entry):
                if self.wide:
                    name, info, _, section, value, size = self.fields("IBBHQQ", at)
                else:
                    name, value, size, info, _, section = self.fields("IIIBBH", at)
                here = 0 < section < len(sections) and sections[section][1] != NOTHING
                if size and info & 15 in (1, 2) and here:
                    found.setdefault(value, (self.text(sections[link][4] + name), size))
        return list(found.values())


def strip(source, target):
    """Writes what is loaded; the table of sections is for linkers and goes too."""
    elf = Elf(source)
    kept = bytearray(elf.bytes[: elf.loaded_end()])
    if elf.wide:
        struct.pack_into(elf.order + "Q", kept, 40, 0)
        struct.pack_into(elf.order + "HHH", kept, 58, 0, 0, 0)
    else:
        struct.pack_into(elf.order + "I", kept, 32, 0)
        struct.pack_into(elf.order + "HHH", kept, 46, 0, 0, 0)
    with open(target, "wb") as file:
        file.write(kept)
    os.chmod(target, 0o755)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] != "strip":
        sys.exit("usage: elf.py strip FROM TO")
    strip(sys.argv[2], sys.argv[3])

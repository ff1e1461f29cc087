#!/usr/bin/env python3
"""Writes unicode_tables.cpp: the character classes that the pre-tokenizers ask for.

One entry for each run of code points of one class: first code point * 8 + class. Run from this folder.
"""
import sys
import unicodedata

OTHER, LETTER, NUMBER, PUNCTUATION, SPACE, MARK = range(6)
BY_CATEGORY = {"L": LETTER, "N": NUMBER, "P": PUNCTUATION, "M": MARK}
# The property White_Space, which has no category of its own: PropList.txt of the same version.
SPACES = {*range(0x09, 0x0E), 0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B),
          0x2028, 0x2029, 0x202F, 0x205F, 0x3000}
PER_LINE = 9


def class_of(code_point):
    if code_point in SPACES:
        return SPACE
    return BY_CATEGORY.get(unicodedata.category(chr(code_point))[0], OTHER)


def runs():
    previous = None
    for code_point in range(sys.maxunicode + 1):
        current = class_of(code_point)
        if current != previous:
            yield code_point * 8 + current
        previous = current


entries = [f"0x{entry:x}" for entry in runs()]
with open("unicode_tables.cpp", "w", encoding="ascii", newline="\n") as out:
    out.write('// Written by generate_unicode_tables.py from Unicode '
              f'{unicodedata.unidata_version}; do not edit.\n')
    out.write('#include "engine/text/unicode_classes.h"\n\n')
    out.write('namespace engine {\n\n// clang-format off\n')
    out.write(f'const std::array<std::uint32_t, {len(entries)}> kUnicodeRuns = {{\n')
    for i in range(0, len(entries), PER_LINE):
        out.write("    " + ", ".join(entries[i:i + PER_LINE]) + ",\n")
    out.write('};\n// clang-format on\n\n} // namespace engine\n')
print(len(entries), "runs")

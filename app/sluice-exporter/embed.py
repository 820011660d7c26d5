#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""embed.py OUTPUT FILE...: writes the page's files as C, for page.h. index.html is served as /."""

import pathlib
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


def main(output, *paths):
  parts = ["/* Made by embed.py. */", '#include "page.h"', ""]
  table = []
  for number, path in enumerate(map(pathlib.Path, paths)):
    data = path.read_bytes()
    url = "/" if path.name == "index.html" else f"/{path.name}"
    parts.append(f"static const unsigned char file{number}[] = {{{','.join(map(str, data))}}};")
    table.append(f'\t{{"{url}", "{TYPES[path.suffix]}", file{number}, sizeof(file{number})}},')
  parts += ["", "const struct page_file page_files[] = {", *table, "};",
    f"const unsigned page_file_count = {len(table)};", ""]
  pathlib.Path(output).write_text("\n".join(parts))


if __name__ == "__main__":
  main(*sys.argv[1:])

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes manual pages of what there is already, so that they can't go stale.

usage: manuals.py config VERSION README > sluice.json.5
       manuals.py help VERSION PROGRAM NAME SECTION SUMMARY [MORE] > NAME.SECTION
       manuals.py sluicectl VERSION PROGRAM > sluicectl.1

config turns config/README.md, which a test keeps in step with the code, into roff; help a program's
--help, with the roff of the file MORE behind it; sluicectl also the help of each command.
"""

import re
import subprocess
import sys

MANUAL = "Sluice"


def escape(text):
  """Text that means itself in roff."""
  text = text.replace("\\", "\\e").replace("-", "\\-")
  return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


def inline(text):
  """A line of Markdown."""
  parts = re.split(r"(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*|\[[^]]+\]\([^)]+\))", text.strip())
  out = []
  for part in parts:
    if part.startswith("**"):
      out.append(f"\\fB{inline(part[2:-2])}\\fP")
    elif part.startswith("`"):
      out.append(f"\\fB{escape(part[1:-1])}\\fP")
    elif part.startswith("*") and len(part) > 2:
      out.append(f"\\fI{escape(part[1:-1])}\\fP")
    elif part.startswith("["):
      out.append(inline(part[1:part.index("](")]))
    else:
      out.append(escape(part))
  line = "".join(out)
  return "\\&" + line if line[:1] in (".", "'") else line


def title(name, section, version):
  return [f'.TH "{escape(name.upper())}" {section} "" "sluice {version}" "{MANUAL}"', ".nh", ".ad l"]


def name_section(name, summary):
  return [".SH NAME", f"{escape(name)} \\- {escape(summary)}"]


def row_of(line):
  return [cell.strip() for cell in re.split(r"\s\|(?=\s)", line.strip()[1:-1])]


def table(lines):
  """Rows of keys get their facts in a line of their own; other tables a paragraph per row."""
  header, out = row_of(lines[0]), []
  for line in lines[2:]:
    cells = row_of(line)
    out.append(".TP")
    if header[0] == "Key":
      keys, kind, default, allowed, unit, effect = cells
      out.append(", ".join(inline(key) for key in keys.split(" ")))
      default = inline(default)
      facts = [inline(kind), "required" if default == "required" else f"default {default}"]
      facts += [f"allowed {inline(allowed)}"] if allowed else []
      facts += [inline(unit)] if unit else []
      out += ["; ".join(facts), ".br", inline(effect)]
    else:
      out += [inline(cells[0]), "; ".join(inline(cell) for cell in cells[1:])]
  return out


def blocks(text):
  """Yields (kind, lines) of Markdown: heading, fence, table, item, text."""
  lines = text.splitlines()
  while lines:
    line = lines.pop(0)
    if line.startswith("```"):
      end = next(i for i, inner in enumerate(lines) if inner.startswith("```"))
      yield "fence", lines[:end]
      lines = lines[end + 1:]
    elif line.startswith("#"):
      yield "heading", [line]
    elif line.startswith("|"):
      found = [line]
      while lines and lines[0].startswith("|"):
        found.append(lines.pop(0))
      yield "table", found
    elif line.strip():
      kind, found = ("item", [line[2:]]) if line.startswith("* ") else ("text", [line])
      while lines and lines[0].strip() and not re.match(r"[*#|`] |```|\|", lines[0]):
        found.append(lines.pop(0))
      yield kind, found


def literal(lines):
  return [".PP", ".RS 4", ".nf", *(escape(line) or "\\&" for line in lines), ".fi", ".RE"]


def config(version, path):
  out = title("sluice.json", 5, version)
  out += name_section("sluice.json", "configuration of the SYN proxy Sluice") + [".SH DESCRIPTION"]
  with open(path, encoding="utf-8") as file:
    text = file.read().split("\n", 1)[1]
  for kind, lines in blocks(text):
    if kind == "heading":
      level, words = lines[0].split(" ", 1)
      out.append(f".{'SH' if level == '##' else 'SS'} {escape(words.upper() if level == '##' else words)}")
    elif kind == "fence":
      out += literal(lines)
    elif kind == "table":
      out += table(lines)
    else:
      out += [".IP \\(bu 2" if kind == "item" else ".PP", inline(" ".join(line.strip() for line in lines))]
  out += [".SH FILES", ".TP", "\\fB/etc/sluice/sluice.json\\fP", "what the packaged service reads",
    ".TP", "\\fB/usr/share/doc/sluice\\-synproxy/schema.json\\fP", "a JSON schema, for editors",
    ".SH SEE ALSO", "\\fBsluice\\fP(8), \\fBsluicectl\\fP(1)"]
  return out


def said(program, *words):
  return subprocess.run([program, *words], check=True, text=True, capture_output=True,
    timeout=30).stdout.splitlines()


def help_lines(lines):
  """Options and other lines of --help: an option with its text is an item, the rest as it stands."""
  out = []
  for line in lines:
    option = re.match(r" {2,6}(-.+?)(?:  +(.*))?$", line)
    if option and len(line) - len(line.lstrip()) <= 6:
      out += [".TP", f"\\fB{escape(option[1])}\\fP"] + ([escape(option[2])] if option[2] else [])
    elif line.startswith("        "):
      out.append(escape(line.strip()))
    elif line.startswith("  "):
      out += [".br", escape(line.strip())]
    elif line.strip():
      out += [".PP", escape(line)]
  return out


def synopsis(lines):
  """Takes the usage off lines."""
  out = [".SH SYNOPSIS"]
  while lines and re.match(r"usage: |   ", lines[0]):
    out += [escape(lines.pop(0).removeprefix("usage:").strip()), ".br"]
  return out


def page_of_help(version, program, name, section, summary, more=None):
  lines = said(program, "--help")
  out = title(name, section, version) + name_section(name, summary) + synopsis(lines)
  out += [".SH DESCRIPTION", *help_lines(lines)]
  if more:
    with open(more, encoding="utf-8") as file:
      out.append(file.read().rstrip())
  return out


def commands_of(overview):
  """The names in the overview's list."""
  begin = next(i for i, line in enumerate(overview) if line.startswith("Commands"))
  for line in overview[begin + 1:]:
    if not line.startswith("  "):
      return
    yield re.split(r"  +", line.strip())[0]


def command_section(program, command):
  lines = said(program, "help", *command.split())
  own = next((i for i, line in enumerate(lines) if line.startswith("Options of every")), len(lines))
  lines = lines[:own]
  usage = lines.pop(0).removeprefix("usage: sluicectl [OPTION...] ")
  out, literals, part = [f".SS {escape(usage)}"], [], "text"
  for line in lines:
    if line in ("Examples:", "Options:"):
      part = line
    elif line and part == "Examples:":
      literals.append(line.strip())
    elif line and part == "Options:":
      out += help_lines([line])
    elif line:
      out.append(escape(line))
    elif part == "text":
      out.append(".PP")
  return out + literal(literals)


def sluicectl(version, program):
  overview = said(program, "--help")
  names = list(commands_of(overview))
  out = title("sluicectl", 1, version)
  out += name_section("sluicectl", "ask and change a running sluice") + synopsis(overview)
  out += [".SH DESCRIPTION", "Asks and changes a running sluice over its control socket.", ".SH COMMANDS"]
  for name in names:
    out += command_section(program, name)
  rest = next(i for i, line in enumerate(overview) if line.startswith("Options"))
  end = next(i for i, line in enumerate(overview) if line.startswith("Exit status"))
  out += [".SH OPTIONS", "They may stand before the command or behind it."]
  out += help_lines(overview[rest + 1:end]) + [".SH EXIT STATUS"]
  while overview[end]:
    out.append(escape(overview[end].removeprefix("Exit status: ")))
    end += 1
  return out + [".SH SEE ALSO", "\\fBsluice\\fP(8), \\fBsluice.json\\fP(5)"]


def main():
  pages = {"config": config, "help": page_of_help, "sluicectl": sluicectl}
  if len(sys.argv) < 4 or sys.argv[1] not in pages:
    sys.exit(__doc__)
  print("\n".join(pages[sys.argv[1]](*sys.argv[2:])))


if __name__ == "__main__":
  main()

# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034
# What app/quickstart and tests/run have in common: root, packages, a build. Sourced, never run.
# Lines of progress go to standard output; what went wrong goes to standard error.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ -t 1 ]; then
  bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
else
  bold='' red='' green='' plain=''
fi

# Packages that every build needs; Debian 12's names.
build_packages=(gcc libc6-dev linux-libc-dev meson ninja-build pkg-config libdpdk-dev libnuma-dev
  libjansson-dev libcmocka-dev libmicrohttpd-dev libsystemd-dev)

die() {
  printf '%s%s: %s%s\n' "$red" "$(basename "$0")" "$*" "$plain" >&2
  exit 1
}

# Runs the calling script again as root unless it is root already.
become_root() {
  [ "$(id -u)" -eq 0 ] && return
  command -v sudo > /dev/null || die "needs root, and there is no sudo; run it as root"
  exec sudo -- "$0" "$@"
}

# Prints those of the packages that are not installed.
packages_missing() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2> /dev/null | grep -qx installed ||
      printf '%s\n' "$package"
  done
}

# packages_install LOG PACKAGE...: installs what is missing, without starting any service.
packages_install() {
  local log=$1 missing
  shift
  mapfile -t missing < <(packages_missing "$@")
  [ ${#missing[@]} -eq 0 ] && return
  command -v apt-get > /dev/null ||
    die "needs Debian 12, or these packages by other means: ${missing[*]}"
  if ! (services_hold && packages_get "${missing[@]}") > "$log" 2>&1; then
    tail -n 15 "$log" >&2
    die "can't install ${missing[*]}; is the machine offline?"
  fi
}

# Debian's own way to keep installed services from starting (invoke-rc.d asks this file), until
# the calling subshell ends.
services_hold() {
  local policy=/usr/sbin/policy-rc.d
  [ -e $policy ] && return
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  trap 'exit 130' INT TERM HUP
  printf '#!/bin/sh\nexit 101\n' > $policy && chmod +x $policy
}

packages_get() {
  apt_get update || true # an old list may still do
  apt_get install -y --no-install-recommends "$@"
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" < /dev/null
}

# build_configure FOLDER OPTION...: meson's set-up of a build folder, or its refresh.
build_configure() {
  local folder=$1
  shift
  if [ -f "$folder/build.ninja" ]; then
    meson setup --reconfigure "$folder" "$repository" "$@"
  else
    meson setup "$folder" "$repository" "$@"
  fi
}

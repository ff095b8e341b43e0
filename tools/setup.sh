#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing on Debian 12. Usage: tools/setup.sh SET...   with the sets build, test, lint, fuzz, bench.
#   Says what it installs; uses sudo when not root; does nothing when all is there; INSTALL=no skips it.
#   Add a package: one line in the set that needs it.
set -euo pipefail

build_packages=(
  ca-certificates
  ccache
  clang-19
  cmake
  git
  libboost1.81-dev
  libcli11-dev
  libfmt-dev
  libsimdjson-dev
  libsodium-dev
  libspdlog-dev
  libsqlite3-dev
  libssl-dev
  libstdc++-12-dev
  libxxhash-dev
  libyaml-cpp-dev
  libzstd-dev
  make
  mold
  ninja-build
  pkg-config
  zlib1g-dev
)
test_packages=(
  chromium
  curl
  fonts-dejavu-core
  libclang-rt-19-dev
  libgmock-dev
  libgtest-dev
  llvm-19
  openssl
  python3-venv
  sqlite3
)
lint_packages=(
  clang-format-19
  clang-tidy-19
  python3
)
fuzz_packages=(
  libclang-rt-19-dev
  llvm-19
)
bench_packages=(
  libbenchmark-dev
  python3
)

# Node 18 or newer from wherever it comes; Debian's own only when there is none.
node_packages() {
  local major=0
  if command -v node >/dev/null; then major=$(node --version | sed 's/^v\([0-9]*\).*/\1/'); fi
  if [ "$major" -lt 18 ]; then echo nodejs; fi
  if ! command -v npm >/dev/null; then echo npm; fi
}

missing() {
  local installed
  installed=" $(dpkg-query -W -f='${db:Status-Status}=${Package} ' "$@" 2>/dev/null || true) "
  for package in "$@"; do
    case "$installed" in *" installed=$package "*) ;; *) echo "$package" ;; esac
  done
}

main() {
  if [ "${INSTALL:-yes}" = no ]; then return; fi
  if [ $# -eq 0 ]; then set -- build; fi
  local packages=() node=()
  for set in "$@"; do
    case "$set" in
      build) packages+=("${build_packages[@]}"); mapfile -t node < <(node_packages) ;;
      test) packages+=("${test_packages[@]}") ;;
      lint) packages+=("${lint_packages[@]}") ;;
      fuzz) packages+=("${fuzz_packages[@]}") ;;
      bench) packages+=("${bench_packages[@]}") ;;
      *) echo "tools/setup.sh: '$set' is not a set; expected build, test, lint, fuzz or bench" >&2; exit 2 ;;
    esac
  done
  if ! command -v apt-get >/dev/null; then
    echo "tools/setup.sh: no apt-get here. Debian 12 would need: ${packages[*]} ${node[*]}" >&2
    echo "tools/setup.sh: going on; INSTALL=no hides this." >&2
    return
  fi
  local wanted
  mapfile -t wanted < <(missing "${packages[@]}")
  wanted+=("${node[@]}")
  if [ ${#wanted[@]} -eq 0 ]; then return; fi

  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "tools/setup.sh: needs root or sudo to install: ${wanted[*]}" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  echo "Installing with apt (INSTALL=no skips this): ${wanted[*]}"
  local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0
    --no-install-recommends install "${wanted[@]}")
  "${as_root[@]}" apt-get -qq update
  local log
  log=$(mktemp)
  if ! "${install[@]}" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "tools/setup.sh: apt-get failed; the whole log is in $log" >&2
    exit 1
  fi
  rm -f "$log"
}

main "$@"

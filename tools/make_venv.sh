#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the Python environment of the tests once per content of tests/requirements.txt. Usage: make_venv.sh FOLDER
set -euo pipefail
folder=$1
requirements="$(dirname "$0")/../tests/requirements.txt"
if [ -f "$folder/.complete" ]; then exit 0; fi
python=/usr/bin/python3
[ -x "$python" ] || python=python3
echo "Installing the test clients (tests/requirements.txt)"
rm -rf "$folder"
"$python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
touch "$folder/.complete"

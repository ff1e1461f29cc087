#!/usr/bin/env bash
# Writes tests/oracle/data anew, in a Python environment (3.10 or newer, about 7 GB) that is thrown away afterwards.
# Needs the package index and ../shared/goldens.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
python3 -m venv "$environment"
"$environment/bin/pip" install --quiet --no-cache-dir -r "$here/requirements.txt"
cd "$here"
export HF_HUB_OFFLINE=1 PYTHONDONTWRITEBYTECODE=1
"$environment/bin/python" compression.py
"$environment/bin/python" rope.py
"$environment/bin/python" leverage.py
# Only the source archive of this one is needed; it is not installed, but its setup imports torch.
"$environment/bin/pip" install --quiet --no-cache-dir setuptools wheel
"$environment/bin/pip" download --quiet --no-deps --no-build-isolation --no-binary minference --dest "$environment" minference==0.1.6.0
"$environment/bin/python" patterns.py "$environment"/minference-*.tar.gz

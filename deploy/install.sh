# Installs tidegate with its pinned dependencies into a folder of its own; what the image holds, and a machine without
# one. With SOURCE_DATE_EPOCH the same sources and the same Python give the same bytes. STRIP names a program that takes
# debug information out of the libraries, a third of all bytes.
# usage: sh deploy/install.sh /opt/tidegate
set -eu
target=$1
python=${PYTHON:-python3}
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Sets are written into .pyc files in the order of their hashes.
export PYTHONHASHSEED=0 PIP_DISABLE_PIP_VERSION_CHECK=1

"$python" -m venv --clear "$target"
pip() { "$target/bin/python" -m pip --quiet --no-input "$@"; }
pip install --no-compile --require-hashes --only-binary :all: -r requirements/run.txt
# Built from a copy, because setuptools takes in what an earlier build left behind; installed by name, because pip notes
# the path of a file.
cp -R proxy pyproject.toml README.md LICENSE "$work"
pip wheel --no-deps --no-build-isolation --wheel-dir "$work/wheels" "$work"
pip install --no-compile --no-deps --no-index --find-links "$work/wheels" tidegate

# What only an installation or a compiler wants.
pip uninstall --yes packaging setuptools wheel pip
rm -f "$target"/bin/[Aa]ctivate*
find "$target/lib" -type d \( -name tests -o -name __pycache__ \) -prune -exec rm -rf {} +
find "$target/lib" -type f \( -name '*.py[ixd]' -o -name '*.pxi' -o -name '*.[ch]' \) -delete
if [ -n "${STRIP:-}" ]; then
    find "$target/lib" -type f -name '*.so*' -exec "$STRIP" --strip-debug {} +
fi

# Compiled once and for all: by default a .pyc holds its source's time, and is checked against it at each start.
"$target/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$target/lib"
if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
    find "$target" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
fi

# Looks for secrets in what git knows or would take in. Tests hold made-up ones, so that only the shapes of real
# providers' keys count there; the lock files are nothing but hashes.
set -eu
files() { git ls-files --cached --others --exclude-standard -z "$@"; }
git rev-parse --git-dir >/dev/null 2>&1 || exit 0 # an unpacked archive: nothing can be committed from it
# References to secrets are none: env:NAME, file:/path, the name of a Kubernetes Secret.
files ':!:tests' ':!:requirements/*.txt' | xargs -0 .venv/bin/detect-secrets-hook \
    --exclude-lines '[ "](env|file):[A-Za-z_/]|secretName: '
files tests | xargs -0 .venv/bin/detect-secrets-hook --disable-plugin KeywordDetector \
    --disable-plugin Base64HighEntropyString --disable-plugin HexHighEntropyString \
    --disable-plugin BasicAuthDetector --disable-plugin JwtTokenDetector

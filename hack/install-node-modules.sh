#!/usr/bin/env bash
# npm packages of the lock file, and among them a Node that runs. All that the machine has to bring is npm.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v npm >/dev/null || { echo 'npm is needed: apt-get install npm'; exit 1; }
npm ci --no-audit --no-fund --loglevel=error

# npm 9 (Debian 12) leaves out the link to the Node that an optional package brings.
for node in node_modules/node-linux-*/bin/node; do
  [ ! -x "$node" ] || ln -sf "../${node#node_modules/}" node_modules/.bin/node
done

# The one library it needs that a small Debian lacks.
if ! node_modules/.bin/node --version >/dev/null 2>&1; then
  node_modules/.bin/node --version || true
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo 'Node does not run. On Debian: apt-get install libatomic1'
    exit 1
  fi
  if [ -t 0 ] && [[ ! "${YES:-}" =~ ^(1|y|yes|true|on)$ ]]; then
    read -r -p 'Install the Debian package libatomic1? [Y/n] ' answer
    [[ "$answer" =~ ^([Yy]([Ee][Ss])?)?$ ]] || exit 1
  fi
  echo 'installing the Debian package libatomic1'
  apt-get -qq -o DPkg::Lock::Timeout=300 update
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 install libatomic1 >/dev/null
  node_modules/.bin/node --version
fi

#!/bin/sh
# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# What the cases' shell lines may call. Sourced, with who set to the user whose daemon is checked; bob is another one.
# shellcheck disable=SC2034,SC2154  # variables are for the cases, and who is theirs
uid=$(id -u "$who")
run=/run/user/$uid
state=$run/dockerd-rootless
here=/usr/local/lib/hostile

docker() { runuser -u "$who" -- env DOCKER_HOST="unix://$run/docker.sock" docker "$@"; }

# Put something of the user's away, and back.
aside() { mv "$1" "$1.real"; }
back() {
  rm -rf "$1"
  mv "$1.real" "$1"
}

# A hostile server, as the user, or with an owner and a listener for the kernel: serve BEHAVIOUR PATH [OWNER LISTENER]
serve() {
  as=$who
  [ $# -eq 2 ] || as=root
  systemd-run --quiet --unit=hostile --uid="$as" /usr/bin/python3 "$here/hostile_socket.py" "$@"
  for _ in $(seq 50); do
    [ ! -S "$2" ] || return 0
    sleep 0.1
  done
  echo "the hostile server did not come up" >&2
  return 1
}

# Something that goes on while the check runs, as the user: meanwhile SHELL
meanwhile() { systemd-run --quiet --unit=meanwhile --uid="$who" --setenv=DOCKER_HOST="unix://$run/docker.sock" sh -c "$1"; }

end() {
  for unit in hostile meanwhile; do
    systemctl stop "$unit" 2>/dev/null || true
    systemctl reset-failed "$unit" 2>/dev/null || true
  done
}

# A file that shows whether somebody read it: relatime notes a read when the last one is older than the last change.
trap_file() {
  mkdir -p "$(dirname "$1")"
  echo "${2-secret}" > "$1"
  touch -a -d @1 "$1"
}
untouched() {
  [ "$(stat -c %X "$1")" = 1 ] || {
    echo "$1 was read" >&2
    return 1
  }
}

# Nothing must be left: gone SECONDS FUNCTION, which prints one line for each thing that is.
gone() {
  until="$(($(date +%s) + $1))"
  while found="$($2)" && [ -n "$found" ]; do
    [ "$(date +%s)" -lt "$until" ] || {
      echo "$found" >&2
      return 1
    }
    sleep 0.2
  done
}
containers() { docker ps -a --format '{{.Names}}' | sed -n 's/^portside-canary/container &/p'; }
started() { docker ps -a --format '{{.Names}} {{.State}}' | sed -n '/ created$/d; s/^portside-canary/container &/p'; }
images() { docker images --format '{{.Repository}}:{{.Tag}}' | sed -n 's/^portside-canary/image &/p'; }
agents() {
  pgrep --list-full --full -- ' -I -S -c ' | cut -c1-200 | sed 's/^/process /'
  # Less the ports of canary containers, which have some seconds more.
  theirs=$(docker ps --all --filter name=portside-canary- --format '{{.Ports}}' | grep -oE ':[0-9]+->' | tr -dc '0-9\n')
  curl -s --max-time 2 --unix-socket "$state/api.sock" http://rootlesskit/v1/ports | grep -oE '"parentPort":(2[0-9]|3[01])[0-9]{3},' |
    tr -dc '0-9\n' | grep -vxF "$theirs" | sed 's/^/published /'
}
listeners() {
  ss -Hltun 'sport >= :20000 and sport <= :31999' | sed 's/^/listener /'
  nsenter --target "$(cat "$state/child_pid")" --net ss -Hltun 'sport >= :20000 and sport <= :31999' | sed 's/^/listener inside /'
  pgrep --list-full --full -- '/canary/main[.]py' | cut -c1-200 | sed 's/^/process /'
}
everything() {
  containers
  images
  agents
  listeners
}

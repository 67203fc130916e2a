#!/bin/sh
# Copyright (c) 2026, the portside.rootless_docker contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# What a run could change on a host, one thing a line: its name, a tab, and what it is.
set -eu

# Files with owner, mode, time and content, links with where they point.
find /etc /opt /usr/local /var/lib/rootless-docker /var/lib/systemd/linger /run/systemd/user /home/*/.config \
  \( -type f -o -type l -o -type d \) -printf '%p\t%u:%g %m %T@ %l\n' 2>/dev/null | sed 's/^/file /'
find /etc /opt /usr/local /var/lib/rootless-docker -type f -exec sha256sum {} + 2>/dev/null | sed 's/^\([^ ]*\)  \(.*\)$/content \2\t\1/'
for program in /usr/sbin/dockerd /usr/bin/docker /usr/bin/containerd /usr/bin/pasta /usr/bin/pasta.avx2 /usr/bin/slirp4netns \
  /usr/share/docker.io/contrib/dockerd-rootless.sh; do
  printf 'program %s\t%s\n' "$program" "$(stat -c '%i %s %Z' "$program" 2>/dev/null || echo absent)"
done

# The daemons of the users: which RootlessKit, and since when. Their managers are not asked: that alone would start one that is down.
for state in /run/user/*/dockerd-rootless/child_pid; do
  user=$(stat -c %U "$state" 2>/dev/null) || continue
  pid=$(sed 's/.*) //' "/proc/$(cat "$state")/stat" 2>/dev/null | cut -d' ' -f2)
  [ -n "$pid" ] || continue
  printf 'daemon %s\t%s %s\n' "$user" "$pid" "$(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f20)"
done
for pid in $(pgrep -x 'dockerd|containerd|pasta|pasta.avx2|slirp4netns' || true); do
  printf 'process %s\t%s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline")"
done

for unit in docker.service docker.socket containerd.service; do
  printf 'unit %s\t%s %s\n' "$unit" "$(systemctl is-enabled "$unit" 2>/dev/null || true)" "$(systemctl is-active "$unit" || true)"
done
dpkg-query --show --showformat='package ${Package}\t${db:Status-Status} ${Version}\n'
printf 'sysctl ip_unprivileged_port_start\t%s\n' "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)"

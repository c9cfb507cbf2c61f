#!/bin/sh
# Copyright: (c) 2026, The j4c.deploy authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Starts sshd and dockerd, which also listens at /run/outside/docker.sock. AUTHORIZED_KEY is the public key of root and
# deploy; CONTAINERD_STORE=true chooses the engine's other image store; after LIFETIME seconds it ends by itself.
set -eu

# What a killed container left would keep the engine from starting.
rm -f /var/run/docker.pid /run/docker/containerd/containerd.pid

ssh-keygen -A > /dev/null
mkdir -p /run/sshd /run/outside /etc/docker
for home in /root /home/deploy; do
    mkdir -p "$home/.ssh"
    chmod 0700 "$home/.ssh"
    echo "$AUTHORIZED_KEY" > "$home/.ssh/authorized_keys"
done
chown -R deploy: /home/deploy/.ssh
/usr/sbin/sshd

echo "{\"features\": {\"containerd-snapshotter\": ${CONTAINERD_STORE:-false}}}" > /etc/docker/daemon.json
exec timeout "${LIFETIME:-3600}" dockerd --host unix:///var/run/docker.sock --host unix:///run/outside/docker.sock

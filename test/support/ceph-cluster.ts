import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram, freePort } from './peers.js';
import { RunningProcess } from './running-process.js';
import { type Teardown, tempDir } from './temp-dir.js';

/** A Ceph cluster without a gateway. */
export interface CephCluster {
  /** Runs one of Ceph's commands on this cluster to its end; resolves to what it prints, throws when it fails. */
  run(command: string, ...args: readonly string[]): Promise<string>;
  /** Starts one of Ceph's daemons on this cluster, in the foreground; the test's end waits for its end. */
  start(daemon: string, ...args: readonly string[]): RunningProcess;
}

const execute = promisify(execFile);

/** Starts one monitor and one OSD that keeps everything in memory, for the gateway on this port; resolves once it stores. */
export async function startCephCluster(t: Teardown, gatewayPort: number): Promise<CephCluster> {
  const started: RunningProcess[] = [];
  // Hooks run in this order: first the daemons, then their folder. Nothing of theirs is worth a slower end.
  t.after(async () => {
    await Promise.all(started.map((daemon) => daemon.stop('SIGKILL')));
  });
  const folder = await tempDir(t);
  const file = join(folder, 'ceph.conf');
  const [fsid, osdId] = [randomUUID(), randomUUID()];
  const monitor = `[v2:127.0.0.1:${await freePort()},v1:127.0.0.1:${await freePort()}]`;
  const monitorMap = join(folder, 'monmap');
  await writeFile(file, toConfig(folder, fsid, monitor, gatewayPort));
  await mkdir(join(folder, 'osd'));

  const cluster: CephCluster = {
    run: async (command, ...args) => (await execute(findProgram(command) ?? command, ['-c', file, ...args])).stdout,
    start: (daemon, ...args) => {
      const running = new RunningProcess(findProgram(daemon) ?? daemon, ['-c', file, '-f', ...args]);
      started.push(running);
      return running;
    },
  };
  await cluster.run('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', monitor, monitorMap);
  await cluster.run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', monitorMap);
  cluster.start('ceph-mon', '-i', 'a');
  await Promise.all([
    cluster.run('ceph', 'osd', 'new', osdId),
    cluster.run('ceph-osd', '--mkfs', '-i', '0', '--osd-uuid', osdId),
  ]);
  await cluster.start('ceph-osd', '-i', '0').waitForLine((line) => line.includes('state: booting -> active'));
  return cluster;
}

function toConfig(folder: string, fsid: string, monitor: string, gatewayPort: number): string {
  return `
[global]
fsid = ${fsid}
mon host = ${monitor}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
mon data = ${folder}/mon
osd data = ${folder}/osd
rgw data = ${folder}/rgw
run dir = ${folder}
crash dir = ${folder}
keyring = ${folder}/keyring
admin socket =
log file =
log to stderr = true
err to stderr = true
debug rocksdb = 0
mon cluster log file = /dev/null
paxos propose interval = 0.02
paxos min wait = 0.01
mon allow pool size one = true
osd pool default size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd crush initial weight = 1
osd objectstore = memstore
memstore device bytes = 4294967296
rgw frontends = beast endpoint=127.0.0.1:${gatewayPort} tcp_nodelay=1
rgw gc obj min wait = 1
rgw gc processor period = 2
`;
}

import { startCephCluster } from './ceph-cluster.js';
import { freePort } from './peers.js';
import { lookInside, type S3Access, type S3Service } from './s3-service.js';
import { shared } from './shared.js';
import type { Teardown } from './temp-dir.js';

/** The programs that `startCeph` needs, for `missingPeer`. */
export const cephPrograms = ['ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin'] as const;

/** A Ceph with one user. */
export interface Ceph extends S3Service {
  /** The user's name for `admin`. */
  readonly uid: string;
  /** Creates another user; resolves to its keys. */
  createUser(uid: string): Promise<Omit<S3Access, 'endpoint'>>;
  /** Runs radosgw-admin on this cluster; resolves to what it prints, throws when it fails. */
  admin(...args: readonly string[]): Promise<string>;
  /** Kills the gateway: connections are reset, then refused. */
  stopGateway(): Promise<void>;
  /** Starts the stopped gateway on the same port and the same data; resolves once it listens. */
  startGateway(): Promise<void>;
  /** Suspends the gateway: the kernel still accepts connections, but there is no answer until `resumeGateway`. */
  pauseGateway(): void;
  resumeGateway(): void;
}

const uid = 'filer';

/** How a test uses the gateway. */
interface CephOptions {
  /** The gateway is killed: its cache halves the CPU time of a request, but the next gateway has to wait 30 s for its end. */
  readonly isKilled?: boolean;
}

let ofProcess: typeof sharedCeph | undefined;

/** Has all suites of this process share one Ceph, and one that is killed. To be called before there is a suite. */
export function shareCeph(): void {
  const [lasting, killed] = [sharedCeph(), sharedCeph({ isKilled: true })];
  ofProcess = ({ isKilled = false } = {}) => (isKilled ? killed : lasting);
}

/** The Ceph that the tests of a suite share, a bucket each: started for the first that asks, ended after the last. */
export function sharedCeph(options?: CephOptions): () => Promise<Ceph> {
  return ofProcess?.(options) ?? shared((t) => startCeph(t, options));
}

/** Starts a Ceph of its own with the S3 gateway; resolves once it listens. */
export async function startCeph(t: Teardown, { isKilled = false }: CephOptions = {}): Promise<Ceph> {
  const port = await freePort();
  const cluster = await startCephCluster(t, port);
  const admin = (...args: readonly string[]): Promise<string> => cluster.run('radosgw-admin', ...args);
  const createUser = async (name: string) => {
    const keys = { accessKeyId: `${name}-access-key`, secretAccessKey: `${name}-secret-key` };
    const { accessKeyId, secretAccessKey } = keys;
    const asked = ['--uid', name, '--display-name', name, '--access-key', accessKeyId, '--secret-key', secretAccessKey];
    await admin('user', 'create', ...asked);
    return keys;
  };
  const user = await createUser(uid);

  const startGateway = async () => {
    const gateway = cluster.start('radosgw', '-n', 'client.rgw', `--rgw-cache-enabled=${!isKilled}`);
    await gateway.waitForLine((line) => line.includes('mgrc service_daemon_register'));
    return gateway;
  };
  let gateway = await startGateway();
  const signal = (name: NodeJS.Signals): void => {
    if (gateway.pid !== undefined) process.kill(gateway.pid, name);
  };
  return {
    ...lookInside(t, { ...user, endpoint: `http://127.0.0.1:${port}` }),
    ...{ uid, createUser, admin },
    stopGateway: async () => {
      await gateway.stop('SIGKILL');
    },
    startGateway: async () => {
      gateway = await startGateway();
    },
    pauseGateway: () => signal('SIGSTOP'),
    resumeGateway: () => signal('SIGCONT'),
  };
}

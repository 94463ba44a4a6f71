import { Connection } from './connection.js';
import type { Job, JobResult } from './generator-jobs.js';
import { bodyAfterSlot, bodyStart, expectedStatus, newSlot, requestHead } from './requests.js';

interface PreparedRequest {
  readonly slot: string;
  readonly head: Buffer;
}

/** More than any server answers in a second, so that no head is built while the clock runs. */
const preparedPerSecond = 12_000;
const bodies = new Map<number, Buffer>();

function bodyFor(size: number): Buffer {
  const body = bodies.get(size) ?? bodyAfterSlot(size);
  bodies.set(size, body);
  return body;
}

function prepare({ kind, size, peer, isReconnecting }: Job, slot: string): PreparedRequest {
  const start = kind === 'put' ? bodyStart(slot, size) : '';
  return { slot, head: Buffer.from(requestHead(kind, slot, size, peer, isReconnecting) + start, 'latin1') };
}

/** Calls for the next request each time, prepared ones first. */
function prepareAll(job: Job): (index: number) => PreparedRequest {
  if (job.slots !== undefined && job.kind !== 'put') {
    const prepared = job.slots.map((slot) => prepare(job, slot));
    return (index) => prepared[index % prepared.length] ?? prepare(job, newSlot());
  }
  const { slots } = job;
  const wanted = slots?.length ?? Math.ceil((preparedPerSecond * job.seconds) / Math.max(1, job.size / 20_000));
  const count = Math.min(job.maxRequests, wanted);
  const prepared = Array.from({ length: count }, (_, index) => prepare(job, slots?.[index] ?? newSlot()));
  return (index) => prepared[index] ?? prepare(job, newSlot());
}

/** Loads a server; rejects at the first wrong status or broken connection. */
export async function runLoad(job: Job): Promise<JobResult> {
  const { peer, kind, clients, seconds, maxRequests } = job;
  const status = expectedStatus(kind, peer.dialect);
  const next = prepareAll(job);
  const body = kind === 'put' ? bodyFor(job.size) : undefined;
  const slots: string[] = [];
  const connections = new Set<Connection>();
  let sent = 0;
  let answered = 0;
  let deadline = 0;
  try {
    return await new Promise<JobResult>((resolve, reject) => {
      const sendNext = (connection: Connection) => {
        const { slot, head } = next(sent);
        sent += 1;
        if (kind === 'put') slots.push(slot);
        connection.send(head, body, kind === 'head');
      };
      const open = () => {
        const connection = new Connection(peer.port, onAnswer, reject);
        connections.add(connection);
        return connection;
      };
      const onAnswer = (given: number, connection: Connection) => {
        if (given !== status) reject(new Error(`${kind} was answered with ${given} by ${peer.dialect}`));
        answered += 1;
        if (job.isReconnecting) {
          connection.close();
          connections.delete(connection);
        }
        if (sent < maxRequests && performance.now() < deadline) sendNext(job.isReconnecting ? open() : connection);
        else if (answered === sent) resolve(finish());
      };
      const first = Array.from({ length: Math.min(clients, maxRequests) }, open);
      let startedAt = 0;
      let cpuAtStart = process.cpuUsage();
      const finish = (): JobResult => {
        const { user, system } = process.cpuUsage(cpuAtStart);
        const elapsed = (performance.now() - startedAt) / 1000;
        return { requests: answered, seconds: elapsed, cpuSeconds: (user + system) / 1e6, slots };
      };
      Promise.all(first.map((connection) => connection.opened())).then(() => {
        cpuAtStart = process.cpuUsage();
        startedAt = performance.now();
        deadline = startedAt + seconds * 1000;
        first.forEach(sendNext);
      });
    });
  } finally {
    for (const connection of connections) connection.close();
  }
}

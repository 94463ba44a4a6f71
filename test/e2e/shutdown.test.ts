import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { startProgram } from '../support/program.js';
import { connectTo } from '../support/raw-socket.js';
import { filesIn } from '../support/tree.js';
import { beginPut } from '../support/uploading.js';
import { componentSecret, startRawXmppServer } from '../support/xmpp-server.js';

const uploads = 20;

describe('a stop during stalled transfers', () => {
  for (const workers of [1, 2]) {
    it(`breaks them off after shutdownTimeout, leaves nothing and exits with 0 (workers: ${workers})`, async (t) => {
      const program = await startProgram(t, { workers, shutdownTimeout: '1s' });
      await writeFile(path.join(program.storeDir, 'large'), Buffer.alloc(50_000_000));
      const download = await connectTo(t, program.origin);
      download.socket.write('GET /upload/large HTTP/1.1\r\nHost: x\r\n\r\n');
      await download.waitFor(/200 OK/);
      download.socket.pause();
      for (let index = 0; index < uploads; index += 1) {
        await beginPut(t, program, `s/${index}`, 100_000, Buffer.alloc(70_000));
      }
      await eventually(async () => (await filesIn(program.storeDir)).length === uploads + 1);
      assert.deepEqual(await program.stop(), { code: 0, signal: null });
      assert.deepEqual(await filesIn(program.storeDir), ['large']);
      const counts = program.logLines().map(({ transfers }) => Number(transfers ?? 0));
      assert.equal(
        counts.reduce((sum, count) => sum + count, 0),
        uploads + 1,
      );
      const messages = program.logLines().map(({ msg }) => msg);
      const ends = messages.filter((msg) => msg === 'stopped' || msg === 'SIGTERM: finishing the running transfers');
      assert.deepEqual(ends, ['SIGTERM: finishing the running transfers', 'stopped']);
    });
  }
});

describe('a stop while an upload runs', () => {
  for (const workers of [1, 2]) {
    it(`leaves the XMPP server at once, so that nobody gets a slot in vain (workers: ${workers})`, async (t) => {
      const server = await startRawXmppServer(t);
      const component = {
        ...{ jid: 'upload.example.org', host: '127.0.0.1', port: server.port },
        ...{ secret: componentSecret, baseUrl: 'https://uploads.example.org/upload/' },
      };
      const program = await startProgram(t, { workers, component });
      const link = await server.nextReady();
      const upload = await beginPut(t, program, 's/f', 10, '01234');
      await eventually(async () => (await filesIn(program.storeDir)).length === 1);
      const stopped = program.stop();
      await link.waitFor(/<\/stream:stream>$/);
      upload.socket.write('56789');
      await upload.waitFor(/^HTTP\/1\.1 201 /);
      assert.equal((await stopped).code, 0);
    });
  }
});

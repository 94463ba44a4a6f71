// Puts one durable upload with a sidecar into the store at the given folder and prints the code of what is thrown.
import { FilerError } from '../../src/errors.js';
import { openStore } from '../../src/storage/open-store.js';
import { incoming, key } from './store-contract.js';

const { store } = await openStore({ storeDir: process.argv[2] ?? '', isDurable: true, stallTimeoutMs: 60_000 });
try {
  await store.put(key('slot/f.jpg'), incoming(Buffer.from('x'), { contentType: 'image/webp' }));
  console.log('stored');
} catch (error) {
  console.log(error instanceof FilerError ? error.code : error);
}

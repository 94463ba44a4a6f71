import { importTests } from './support/import-tests.js';

await importTests(new URL('slots/', import.meta.url));

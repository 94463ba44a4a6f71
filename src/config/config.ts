import type { configParts, Storage } from './config-parts.js';
import type { TableOf } from './schema.js';
import type { settingsSchema } from './settings.js';

/** The parts that `configParts` make. */
export type Parts = { readonly [Name in keyof typeof configParts]: ReturnType<(typeof configParts)[Name]['make']> };
type KeyOfPart = (typeof configParts)[keyof typeof configParts]['keys'][number];

/** The settings of which no part is made: `Config` has them in bytes, milliseconds and bits. */
export type PlainSettings = TableOf<Omit<typeof settingsSchema.properties, KeyOfPart>>;

/** The checked configuration: bytes, ms, absolute paths. A key of the file that is not set is `undefined`. */
export type Config = Storage & Omit<Parts, 'storage'> & PlainSettings;

/** The folder or the bucket with the uploads, as people write it. */
export function describeStorage({ storeDir, s3 }: Storage): string {
  return s3 === undefined ? storeDir : `s3://${s3.bucket}/${s3.path}`;
}

/*
 * Sidecars and tombstones are notes: small JSON objects in files of the reserved folder. Whoever may write to storeDir may
 * have put anything there, so a note is read without following a link, without waiting for a pipe's writer, and up to
 * 64 KiB; and each field is checked. The notes that are written here are smaller: a key and a JID have a few KiB at most, and
 * a type 16 KiB, the limit of a header.
 */
import { constants, fstatSync } from 'node:fs';
import { systemErrorCode } from '../../errors.js';
import { keyOfPath, type UploadKey } from '../../upload/upload-key.js';
import { closeRead, disk } from './disk-calls.js';
import { isGone } from './pass-over.js';

const version = 1;
const maxBytes = 64 * 1024;
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** What `Date` can hold, ms since the epoch (ECMA-262 §21.4.1.1). */
const maxTime = 8.64e15;

/** Something that is not a note stands at the place of one. */
export class NoteError extends Error {
  /** Whether it is the beginning of a note whose writer was stopped. */
  readonly isCutOff: boolean;

  constructor(message: string, isCutOff = false) {
    super(message);
    this.name = 'NoteError';
    this.isCutOff = isCutOff;
  }
}

/** What both kinds of notes say. */
interface NoteFields {
  readonly key: UploadKey;
  readonly uploader?: string | undefined;
}

/** A note whose other fields are not checked yet. */
type Note = NoteFields & { readonly [field in 'size' | 'modifiedAt' | 'contentType' | 'expiresAt']?: unknown };

/** Whether this is a time, ms since the epoch. */
export function isTime(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= maxTime;
}

/** Whether this is a number of bytes. */
export function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** A note as it stands in its file. */
export function formatNote(fields: NoteFields): string {
  return JSON.stringify({ version, ...fields });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new NoteError('it is not JSON', true);
  }
}

function parseNote(text: string): Note {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null) throw new NoteError('it is not a JSON object');
  const fields = value as Record<string, unknown>;
  const key = typeof fields['key'] === 'string' ? keyOfPath(fields['key']) : undefined;
  const { uploader } = fields;
  if (fields['version'] !== version) throw new NoteError(`its version is not ${version}`);
  if (key === undefined) throw new NoteError('its key is not the path of an upload');
  if (uploader !== undefined && typeof uploader !== 'string') throw new NoteError('its uploader is not a string');
  return { ...fields, key, uploader };
}

async function openNote(file: string): Promise<number | undefined> {
  try {
    return await disk.open(file, readFlags);
  } catch (error) {
    if (isGone(error)) return undefined;
    const code = systemErrorCode(error);
    // ENXIO: a socket.
    if (code === 'ELOOP' || code === 'ENXIO') throw new NoteError('it is not a plain file');
    throw error;
  }
}

/**
 * The note in a file; `undefined` where there is no file, or an empty one. Throws a `NoteError` for anything else than a
 * note, and the system's errors.
 */
export async function readNote(file: string): Promise<Note | undefined> {
  const fd = await openNote(file);
  if (fd === undefined) return undefined;
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new NoteError('it is not a plain file');
    if (stats.size > maxBytes) throw new NoteError(`it is larger than ${maxBytes} bytes`);
    const { bytesRead, buffer } = await disk.read(fd, Buffer.allocUnsafe(stats.size), 0, stats.size, 0);
    return bytesRead === 0 ? undefined : parseNote(buffer.toString('utf8', 0, bytesRead));
  } finally {
    closeRead(fd);
  }
}

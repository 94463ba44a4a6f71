import { essenceOf, typeOfName, unknownType } from '../upload/content-type.js';
import { otherTypesOf } from '../upload/other-types.js';
import type { AnnouncedUpload } from './token.js';

/** Bounds the work for a token that is wrong: each candidate costs an HMAC, 3 µs, for each secret. */
const maxCandidates = 40;
/** With more parameters, only their order as it was sent is tried. */
const maxSwapped = 3;
/** Longer headers are only tried as they were sent. */
const maxRewritten = 255;

/** As clients and the Go program write it. */
const utf8Parameters = ['; charset=utf-8', ';charset=utf-8', '; charset=UTF-8', ';charset=UTF-8'];

function ordersOf(parameters: readonly string[]): string[][] {
  if (parameters.length < 2 || parameters.length > maxSwapped) return [[...parameters]];
  return parameters.flatMap((first, index) =>
    ordersOf(parameters.toSpliced(index, 1)).map((others) => [first, ...others]),
  );
}

/** The same media type without parameters, and with other spaces, order, letter case or quotes (RFC 9110 §8.3.1). */
function notationsOf(header: string): string[] {
  if (header.length > maxRewritten) return [];
  const [essence = '', ...parts] = header.split(';').map((part) => part.trim());
  const parameters = parts.filter((part) => part !== '').map((part) => part.replaceAll('"', ''));
  const texts = ordersOf(parameters).flatMap((order) => [
    [essence, ...order].join(';'),
    [essence, ...order].join('; '),
  ]);
  return [essence, ...texts, ...texts.map((text) => text.toLowerCase())];
}

/**
 * The types that the slot may have been signed for if it is not the one that was sent, the most likely ones first. Clients
 * send none in the PUT, or another one than they asked the slot for (old Dino: `omemo`).
 */
export function candidateTypes({ key, contentType }: AnnouncedUpload): string[] {
  const byName = typeOfName(key);
  const essence = essenceOf(contentType) ?? byName;
  const candidates = new Set([
    ...[byName, unknownType, 'omemo'],
    ...notationsOf(contentType),
    ...(essence.startsWith('text/') ? utf8Parameters.map((parameter) => essence + parameter) : []),
    ...otherTypesOf(key),
    // What shared-mime-info says by the content alone, also of an empty file.
    ...['text/plain', 'application/x-zerosize'],
  ]);
  return [...candidates].slice(0, maxCandidates);
}

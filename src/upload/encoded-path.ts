function encodedSegment(segment: string): string {
  return encodeURIComponent(segment).replace(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

/**
 * A path with its segments percent-encoded and its slashes as they are. Only the unreserved characters of RFC 3986 §2.3
 * stay, so that no client cuts a URL off at a bracket or a quote.
 */
export function encodedPath(path: string): string {
  return path.split('/').map(encodedSegment).join('/');
}

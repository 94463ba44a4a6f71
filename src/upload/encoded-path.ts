/** A path's segments percent-encoded (RFC 3986 §2.1), its slashes as they are. */
export function encodedPath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/** A message without the key at its beginning, for a check whose name says the key. */
export function withoutKey(message: string, key: string): string {
  return message.startsWith(`${key}: `) ? message.slice(key.length + 2) : message;
}

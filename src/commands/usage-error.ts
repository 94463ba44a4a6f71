/** A command was given what it cannot work with; the message names it, what was found and what is expected. */
export class UsageError extends Error {}

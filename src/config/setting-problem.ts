/** A part of the configuration that could not be made from its setting; the message begins with the key. */
export class SettingProblem extends Error {}

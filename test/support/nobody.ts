/** Another user, who may not write to root's files. */
export const nobody = 65534;

/** Runs a command as that user, who may read everything, such as this checkout, but write only what is its own. */
export const asNobody = [
  ...['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'],
  ...['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'],
];

/** No route has a schema, so Fastify needs neither ajv nor fast-json-stringify, which cost 34 ms of CPU time and 3 MiB at the start. */
const unused = () => () => {
  throw new Error('no route has a schema');
};

/** The option `schemaController` of both servers. */
export const noSchemas = { compilersFactory: { buildValidator: unused, buildSerializer: unused } };

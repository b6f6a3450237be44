// Answers what the real varlock makes of many schemas, in one process: starting
// its command for each would take a second apiece.
//
// usage: node driver.mjs NODE_MODULES cases.json answers.json
//
// A case is {files: {NAME: text}, envs: [{KEY: value}]}: the files stand in one
// folder, and each env is the process environment of one load. The answer has
// one entry for each env: {refused: [message], unread: bool, keys: {KEY: {errors: [message],
// value: text or null, required: bool, sensitive: bool}}}; unread says that a file has a mistake
// that hides all others. varlock reads and writes nothing on the disk.
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

// The bundler names varlock's inner files by their content and its exports by
// a letter, so the loader is found by the name of its function.
async function findLoader(modules) {
  const dist = path.join(modules, "varlock", "dist");
  for (const name of fs.readdirSync(dist)) {
    if (!/^load-graph-.*\.mjs$/.test(name)) continue;
    const found = Object.values(await import(pathToFileURL(path.join(dist, name)).href)).find((f) => f.name === "loadEnvGraph");
    if (found) return found;
  }
  throw new Error(`no loadEnvGraph in ${dist}: is this varlock 1.20?`);
}

const grave = (errors) => errors.filter((e) => e && !e.isWarning).map((e) => `${e.constructor.name}: ${e.message}`);

async function answer(load, files, env) {
  let graph;
  const schemaErrors = () =>
    graph ? graph.sortedDataSources.flatMap((s) => grave([...s.errors, ...s.resolutionErrors])) : [];
  try {
    graph = await load({
      basePath: "/project",
      overrideValues: env,
      processEnvOverride: env,
      skipCache: true,
      afterInit: async (g) => {
        graph = g;
        g.registeredResolverFunctions.exec.def.resolve = async () => "not run"; // a generated case may look like a command
        g.setVirtualImports("/project", files);
      },
    });
    const refused = schemaErrors();
    const unread = graph.sortedDataSources.some((s) => s.loadingError); // a file of which nothing is known
    const items = Object.entries(graph.configSchema);
    const wrong = items.flatMap(([key, item]) =>
      grave([...item._schemaErrors, ...item.resolverSchemaErrors, ...item.decoratorSchemaErrors]).map((m) => `${key}: ${m}`));
    if (refused.length + wrong.length > 0) return { refused: [...refused, ...wrong], unread, keys: {} };
    await graph.resolveEnvValues();
    const keys = {};
    for (const [key, item] of Object.entries(graph.configSchema)) {
      if (item.isBuiltin) continue;
      // What only shows once decorators are resolved is a mistake of the schema too.
      wrong.push(...grave([...item._schemaErrors, ...item.decoratorSchemaErrors]).map((m) => `${key}: ${m}`));
      keys[key] = { errors: grave(item.errors), value: item.resolvedEnvStringValue ?? null, required: item.isRequired, sensitive: item.isSensitive };
    }
    return { refused: [...schemaErrors(), ...wrong], keys };
  } catch (err) {
    return { refused: [`thrown: ${err.message}`, ...schemaErrors()], keys: {} };
  }
}

const load = await findLoader(process.argv[2]);
const answers = [];
console.log = console.error = () => {};
for (const { files, envs } of JSON.parse(fs.readFileSync(process.argv[3], "utf8"))) {
  const one = [];
  for (const env of envs) one.push(await answer(load, files, env));
  answers.push(one);
}
fs.writeFileSync(process.argv[4], JSON.stringify(answers));

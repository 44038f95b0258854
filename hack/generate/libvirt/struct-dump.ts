/**
 * Reads `*_protocol-structs`, the dump of the compiled structs that libvirt's build compares itself with: a second
 * witness for our tables that did not pass through our parser of the .x files.
 */
const oneLine = (body: string): string =>
  body
    .replace(/struct \{\s*u_int\s+\w+_len;\s*([\w ]+?)\s*\*\s*\w+_val;\s*\}\s*(\w+);/g, '$1[] $2;')
    .split(';')
    .map((field) => field.trim().replace(/\s+/g, ' '))
    .filter((field) => field !== '')
    .join('; ');

/** One line per struct: `remote_node_get_info_ret { char model[32]; uint64_t memory; … }`. */
export const compactDump = (dump: string): string[] =>
  [...dump.matchAll(/^struct (\w+) \{\n([\s\S]*?)^\};/gm)]
    .filter(([, , body = '']) => !body.includes('union {'))
    .map(([, name = '', body = '']) => `${name} { ${oneLine(body)} }`);

import { readFile, writeFile } from 'node:fs/promises';
import type { Authority, KeyPairPaths } from './certificates.ts';

const base64 = async (path: string): Promise<string> => (await readFile(path)).toString('base64');

/** Writes a kubeconfig with everything inline, so that the file can be copied and read alone (mode 0600). */
export const writeKubeconfig = async (
  path: string,
  server: string,
  authority: Authority,
  client: KeyPairPaths,
): Promise<string> => {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'lab',
    contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab', namespace: 'default' } }],
    clusters: [
      { name: 'lab', cluster: { server, 'certificate-authority-data': await base64(authority.caPath) } },
    ],
    users: [
      {
        name: 'lab',
        user: {
          'client-certificate-data': await base64(client.certPath),
          'client-key-data': await base64(client.keyPath),
        },
      },
    ],
  };
  // JSON is YAML, and needs no library.
  await writeFile(path, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  return path;
};

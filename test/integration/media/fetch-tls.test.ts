import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openImage } from '../../../src/media/fetch-image.ts';
import { haveTools, inFolder, tool } from './oracles.ts';

const ready = await haveTools('openssl');
const never = new AbortController().signal;

/** An https server whose certificate names `images.example` and is signed by itself. */
const withServer = async (work: (port: number, caPem: string) => Promise<void>) =>
  inFolder(async (folder) => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=images.example', '-addext', 'subjectAltName=DNS:images.example'];
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    await tool('openssl', 'req', ...kind, ...subject, '-keyout', key, '-out', cert);
    const caPem = String(await readFile(cert));
    const server = createServer({ key: await readFile(key), cert: caPem }, (request, response) => {
      if (request.url === '/down') response.writeHead(302, { location: 'http://images.example/x' }).end();
      else response.end('image');
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    try {
      await work((server.address() as AddressInfo).port, caPem);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
const open = async (url: string, caPem?: string) =>
  openImage(
    {
      url,
      allowedCidrs: ['127.0.0.0/8'],
      maxBytes: 1000,
      connectTimeoutMs: 60_000,
      idleTimeoutMs: 60_000,
      resolve: async () => ['127.0.0.1'],
      ...(caPem === undefined ? {} : { caPem }),
    },
    never,
  );

describe.skipIf(!ready)('openImage over TLS', () => {
  it('checks the certificate against the CA and the name of the URL', async () => {
    await withServer(async (port, caPem) => {
      const { body } = await open(`https://images.example:${port}/disk`, caPem);
      expect(Buffer.concat(await Array.fromAsync(body)).toString()).toBe('image');
      const refused = { kind: 'unreachable', reason: 'CertificateInvalid' };
      await expect(open(`https://images.example:${port}/disk`)).rejects.toMatchObject(refused);
      await expect(open(`https://other.example:${port}/disk`, caPem)).rejects.toMatchObject(refused);
    });
  });

  it('does not follow a redirect to plain http', async () => {
    await withServer(async (port, caPem) => {
      await expect(open(`https://images.example:${port}/down`, caPem)).rejects.toMatchObject({
        kind: 'invalid',
        reason: 'ImageUrlRefused',
      });
    });
  });
});

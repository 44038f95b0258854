/** An SSH server in this process that runs what it is asked by `sh -c`, as sshd does. For unit tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';
import type { SshOptions } from '../session.ts';

export type TestSshServer = {
  options: SshOptions;
  /** Connections so far, open ones, and channels open now and at most. */
  counts(): { connections: number; open: number; channels: number; mostChannels: number };
  /** Cuts every connection without a word. */
  cut(): void;
  /** From now on every channel is refused, or accepted again. */
  refuseChannels(refuse: boolean): void;
  stop(): Promise<void>;
};

const serve = (child: ChildProcess, channel: ServerChannel): void => {
  child.stdin?.on('error', () => {});
  if (child.stdin !== null) channel.pipe(child.stdin);
  child.stdout?.pipe(channel, { end: false });
  child.stderr?.pipe(channel.stderr, { end: false });
  child.once('close', (code, signal) => {
    if (code === null) channel.exit(signal?.replace('SIG', '') ?? 'KILL');
    else channel.exit(code);
    channel.close();
  });
};

/** `path`: where its programs are looked for; default as in this process. */
export const startTestSshServer = async (path = process.env['PATH']): Promise<TestSshServer> => {
  // Of 3000 Ed25519 keys that ssh2 makes, it cannot read seven itself.
  const hostKey = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 });
  const connections = new Set<Connection>();
  const children = new Set<ChildProcess>();
  let total = 0;
  let mostChannels = 0;
  let refusing = false;
  const server = new ssh2.Server({ hostKeys: [hostKey.private] }, (connection) => {
    total += 1;
    connections.add(connection);
    connection.on('error', () => {});
    connection.once('close', () => connections.delete(connection));
    connection.on('authentication', (context) =>
      context.method === 'password' && context.password === 'secret'
        ? context.accept()
        : context.reject(['password']),
    );
    connection.on('session', (accept, reject) => {
      if (refusing) return reject();
      accept().on('exec', (acceptExec, _reject, { command }) => {
        const child = spawn('sh', ['-c', `exec ${command}`], {
          stdio: 'pipe',
          detached: true,
          env: { PATH: path },
        });
        children.add(child);
        mostChannels = Math.max(mostChannels, children.size);
        child.once('close', () => children.delete(child));
        serve(child, acceptExec());
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const cut = (): void => {
    for (const connection of connections)
      (connection as unknown as { _sock: { destroy(): void } })._sock.destroy();
  };
  return {
    options: {
      host: '127.0.0.1',
      port,
      user: 'ovcp',
      hostKeys: hostKey.public,
      password: 'secret',
    },
    counts: () => ({ connections: total, open: connections.size, channels: children.size, mostChannels }),
    cut,
    refuseChannels: (refuse) => {
      refusing = refuse;
    },
    stop: async () => {
      for (const { pid } of children) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
};

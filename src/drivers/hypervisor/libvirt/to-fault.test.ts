import { describe, expect, it } from 'vitest';
import { Fault } from '../../../runtime/fault.ts';
import {
  type ConnectionFailure,
  errorCodes,
  LibvirtConnectionError,
  LibvirtError,
} from '../../../wire/libvirt/errors.ts';
import { toHostFault } from './to-fault.ts';

const said = (code: number, message = 'no', numbers: readonly number[] = []): LibvirtError =>
  new LibvirtError('DOMAIN_CREATE_WITH_FLAGS', { code, domain: 10, level: 2, message, strings: [], numbers });

describe('toHostFault', () => {
  it.each<[ConnectionFailure, string, string]>([
    ['hostKeyMismatch', 'unreachable', 'HostKeyMismatch'],
    ['certificate', 'unreachable', 'CertificateInvalid'],
    ['authentication', 'denied', 'CredentialsRefused'],
    ['refused', 'unreachable', 'HostUnreachable'],
    ['timeout', 'unreachable', 'HostUnreachable'],
    ['closed', 'unreachable', 'HostUnreachable'],
    ['protocol', 'unreachable', 'HostUnreachable'],
  ])('a connection that fails by %s is %s, %s', (failure, kind, reason) => {
    const fault = toHostFault(new LibvirtConnectionError(failure, 'no'), 'node1');
    expect(fault).toMatchObject({
      kind,
      reason,
      where: 'node1',
      message: 'The host node1 cannot be asked: no',
    });
  });

  it.each<[number, string]>([
    [errorCodes.noSupport, 'unsupported'],
    [errorCodes.configUnsupported, 'unsupported'],
    [errorCodes.invalidArgument, 'invalid'],
    [errorCodes.noDomain, 'conflict'],
    [errorCodes.operationInvalid, 'conflict'],
    [errorCodes.operationTimeout, 'busy'],
    [errorCodes.agentUnresponsive, 'busy'],
    [errorCodes.resourceBusy, 'busy'],
    [errorCodes.accessDenied, 'denied'],
    [errorCodes.internalError, 'unreachable'],
    [12_345, 'unreachable'],
  ])('error %d is %s', (code, kind) => {
    expect(toHostFault(said(code), 'node1').kind).toBe(kind);
  });

  it.each<[LibvirtError, string, string]>([
    [said(38, 'cannot write', [28]), 'unreachable', 'StoragePoolFull'],
    [said(1, 'qemu-img: No space left on device'), 'unreachable', 'StoragePoolFull'],
    [said(38, "Cannot access storage file '/x': No such file or directory", [2]), 'invalid', 'DiskLost'],
    [said(55, "network 'lan' is not active"), 'unreachable', 'NetworkNotReady'],
    [said(1, 'Failed to get "write" lock'), 'busy', 'DiskInUse'],
    // lvcreate and lvremove, as libvirt passes their words on.
    [
      said(
        1,
        'unexpected exit status 5: Volume group "vg0" has insufficient free space (1 extents): 2 required.',
      ),
      'unreachable',
      'StoragePoolFull',
    ],
    [said(1, 'Cannot change VG vg0 while PVs are missing.'), 'unreachable', 'VolumeGroupPartial'],
    [said(1, 'Logical Volume "x" already exists in volume group "vg0"'), 'denied', 'NameTaken'],
    [said(1, 'Logical volume vg0/x in use.'), 'busy', 'DiskInUse'],
  ])('tells apart what libvirt reports by text: %#', (error, kind, reason) => {
    expect(toHostFault(error, 'node1')).toMatchObject({ kind, reason });
  });

  it('leaves faults alone and calls everything unforeseen a bug', () => {
    const fault = new Fault('invalid', 'x');
    expect(toHostFault(fault, 'node1')).toBe(fault);
    expect(toHostFault(new TypeError('x'), 'node1').kind).toBe('bug');
    expect(toHostFault(AbortSignal.abort().reason, 'node1').kind).toBe('unreachable');
  });

  it('keeps control characters of a host out of its message', () => {
    const message = toHostFault(said(1, `a\u001b[2J\nb\u202E${'x'.repeat(10_000)}`), 'node1').message;
    expect(message).toMatch(/^The host node1 answered: a \[2J b x+$/);
    expect(message.length).toBeLessThan(500);
  });
});

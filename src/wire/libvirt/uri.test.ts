import { describe, expect, it } from 'vitest';
import { messages, procedures } from './protocol.gen.ts';
import { splitSocket, splitUri, subsystemOf } from './subsystems.ts';
import { parseLibvirtUri } from './uri.ts';

describe('parseLibvirtUri', () => {
  it.each([
    ['qemu:///system', { type: 'unix', socket: undefined }],
    ['qemu+unix:///system?socket=%2Frun%2Fa%20b', { type: 'unix', socket: '/run/a b' }],
    [
      'qemu+ssh://root@192.0.2.11/system',
      { type: 'ssh', host: '192.0.2.11', port: 22, user: 'root', socket: undefined },
    ],
    [
      'xen+ssh://[2001:db8::1]:2222/system?socket=/s',
      { type: 'ssh', host: '2001:db8::1', port: 2222, user: undefined, socket: '/s' },
    ],
    ['qemu+tls://node2.example.org/system', { type: 'tls', host: 'node2.example.org', port: 16_514 }],
  ])('reads %s', (text, transport) => {
    expect(parseLibvirtUri(text).transport).toEqual(transport);
  });

  it.each([
    ['nonsense', 'not a URI'],
    ['vbox:///session', 'driver vbox is not supported'],
    ['qemu+tcp://h/system', 'transport tcp is not supported; use unix, ssh or tls'],
    ['qemu://h/system', 'name the transport: qemu+ssh://h/… or qemu+tls://h/…'],
    ['qemu:///session', 'the path must be /system'],
    ['qemu+ssh:///system', 'a host name or address is missing'],
    ['qemu+ssh://a:b@h/system', 'a password does not belong into a URI'],
    ['qemu+ssh://h/system?no_verify=1', 'parameter no_verify is not one of this transport'],
    ['qemu+tls://h/system?socket=/s', 'parameter socket is not one of this transport'],
    ['qemu+unix:///system?socket=run', 'socket must be an absolute path'],
  ])('says what is wrong with %s', (text, message) => {
    expect(() => parseLibvirtUri(text)).toThrow(message);
  });
});

describe('split daemons', () => {
  it('are called where their procedures live', () => {
    expect(subsystemOf('DOMAIN_INTERFACE_ADDRESSES')).toBe('hypervisor');
    expect(subsystemOf('NODE_GET_INFO')).toBe('hypervisor');
    expect(subsystemOf('CONNECT_LIST_ALL_STORAGE_POOLS')).toBe('storage');
    expect(subsystemOf('STORAGE_VOL_UPLOAD')).toBe('storage');
    expect(subsystemOf('NETWORK_GET_DHCP_LEASES')).toBe('network');
    expect(subsystemOf('CONNECT_LIST_ALL_NWFILTER_BINDINGS')).toBe('nwfilter');
    expect(subsystemOf('CONNECT_LIST_ALL_NODE_DEVICES')).toBe('nodedev');
    expect(subsystemOf('NODE_NUM_OF_DEVICES')).toBe('nodedev');
    expect(subsystemOf('SECRET_SET_VALUE')).toBe('secret');
    expect(splitSocket('hypervisor', 'xen')).toBe('virtxend-sock');
    expect(splitUri('network', 'qemu', '/system')).toBe('network:///system');
  });

  it('know no procedure by two numbers', () => {
    const numbers = [...Object.values(procedures), ...Object.values(messages)].map(([number]) => number);
    expect(numbers).toHaveLength(450);
  });
});

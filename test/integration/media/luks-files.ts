/**
 * The beginnings of two files that qemu-img 7.2 made. It cannot be run for them in a test: for LUKS it measures how much
 * CPU time its hash takes, and where the kernel counts that time in ticks it fails ("Unable to get accurate CPU usage")
 * or goes on for minutes, as chance will have it.
 */
const wholeFile = (bytes: number, head: string): Buffer => {
  const file = Buffer.alloc(bytes);
  Buffer.from(head, 'base64').copy(file);
  return file;
};

/** `qemu-img create -f qcow2 --object secret,id=s,data=abc -o encrypt.format=luks,encrypt.key-secret=s FILE 1M`: 512 bytes. */
export const luksInQcow2 = (): Buffer =>
  wholeFile(
    2_359_296,
    'UUZJ+wAAAAMAAAAAAAAAAAAAAAAAAAAQAAAAAAAQAAAAAAACAAAAAQAAAAAAAwAAAAAAAAABAAAAAAABAAAAAAAAAAAAAAAAAAAA' +
      'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABAAAAHAAAAAAAAAAAAU3vncAAAAQAAAAAAAEAAAAAAAAAB+QAGgD+FcAAAGAAABkaXJ0' +
      'eSBiaXQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFjb3JydXB0IGJpdAAAAAAAAAAAAAAAAAAAAAAAAAAA' +
      'AAAAAAAAAAAAAAAAAAAAAAJleHRlcm5hbCBkYXRhIGZpbGUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAANjb21wcmVzc2lv' +
      'biB0eXBlAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAARleHRlbmRlZCBMMiBlbnRyaWVzAAAAAAAAAAAAAAAAAAAAAAAA' +
      'AAAAAAAAAAAAAQBsYXp5IHJlZmNvdW50cwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgBiaXRtYXBzAAAAAAAAAAAA' +
      'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgFyYXcgZXh0ZXJuYWwgZGF0YQAAAAAAAAAAAAAAAAA=',
  );

/** `qemu-img create -f luks --object secret,id=s,data=abc -o key-secret=s FILE 8M`: 256 bytes. */
export const luks = (): Buffer =>
  wholeFile(
    10_457_088,
    'TFVLU7q+AAFhZXMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHh0cy1wbGFpbjY0AAAAAAAAAAAAAAAAAAAAAAAAAAAAc2hh' +
      'MjU2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/IAAAAQHbTimjtYQRMIs5ZrU/WFqFynoTcnAD2lcn5NnQKafTEDHwuN0De' +
      'F+JQaL67OYZphMVAtWMAADGhYTgwM2MxNDctYzViNS00MzdiLTkxMWQtNTIyZTg5ZTEzM2IyAAAAAACscfMAAMnkXB6/Tpq6Ar1q' +
      'gJkbPLbNBK+vwPUPYkCt8m2uocl/jzEAAAAIAAAPoA==',
  );

/** Reading XML that a machine sent, for all drivers: through a DOM, and taken as hostile (reliability.md S25). */
import { DOMParser, type Element } from '@xmldom/xmldom';
import { Fault } from '../runtime/fault.ts';

/** More than any description of one machine, network or volume needs. */
const MAX_XML_CHARS = 4 * 1024 * 1024;
const MAX_DEPTH = 64;

const malformed = (why: string): Fault =>
  new Fault('bug', `The host sent a description that cannot be read: ${why}.`, { reason: 'MalformedAnswer' });

const depthOf = (text: string): number => {
  let depth = 0;
  let deepest = 0;
  for (const [tag, close, , selfClose] of text.matchAll(
    /<(\/?)([A-Za-z_][^\s/>]*)(?:"[^"]*"|'[^']*'|[^'">])*?(\/?)>/g,
  )) {
    if (tag === undefined) continue;
    if (close === '/') depth -= 1;
    else if (selfClose !== '/') depth += 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
};

/**
 * The root element of what a host sent. Throws Fault `bug` (`MalformedAnswer`) when it is too large or too deep, holds a
 * document type (and so could hold entities), is not well formed, or has another root than expected.
 */
export const parseXml = (text: string, root: string): Element => {
  if (text.length > MAX_XML_CHARS) throw malformed('it is too large');
  if (text.includes('<!DOCTYPE') || text.includes('<!ENTITY')) throw malformed('it holds a document type');
  if (depthOf(text) > MAX_DEPTH) throw malformed('it is nested too deeply');
  let element: Element | null = null;
  try {
    const parser = new DOMParser({
      onError: (level, message) => {
        if (level !== 'warning') throw malformed(message.slice(0, 120));
      },
    });
    element = parser.parseFromString(text, 'text/xml').documentElement;
  } catch (error) {
    throw error instanceof Fault ? error : malformed('it is not well formed');
  }
  if (element?.localName !== root) throw malformed(`its root is not <${root}>`);
  return element;
};

/** Child elements, of one local name when given. */
export const childrenOf = (element: Element | undefined, name?: string): readonly Element[] => {
  const found: Element[] = [];
  for (let node = element?.firstChild ?? null; node !== null; node = node.nextSibling) {
    if (node.nodeType === 1 && (name === undefined || (node as Element).localName === name)) {
      found.push(node as Element);
    }
  }
  return found;
};

/** The first element at a path of local names below `element`. */
export const at = (element: Element | undefined, ...path: readonly string[]): Element | undefined =>
  path.reduce<Element | undefined>((from, name) => childrenOf(from, name)[0], element);

/** Attribute by name; undefined when it is not there. */
export const attribute = (element: Element | undefined, name: string): string | undefined =>
  element?.getAttribute(name) ?? undefined;

/** Text of the element at a path. */
export const textAt = (element: Element | undefined, ...path: readonly string[]): string | undefined =>
  at(element, ...path)?.textContent ?? undefined;

/** A whole number from an attribute or a text; undefined when it is none or beyond what JavaScript counts. */
export const wholeNumber = (text: string | undefined): number | undefined => {
  if (text === undefined || !/^[0-9]{1,16}$/.test(text.trim())) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
};

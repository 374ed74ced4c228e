/** Brings the DOM up to newer HTML in place, so that focus, scroll and loaded pictures stay. */

const KEPT_ATTRIBUTES = new Set(["open"]); // what the visitor sets, not the server

/**
 * Makes `current` equal to `wanted`; children with an id are matched by it.
 * @param {Element} current
 * @param {Element} wanted
 */
export function morph(current, wanted) {
  morphAttributes(current, wanted);
  let place = current.firstChild;
  for (const child of [...wanted.childNodes]) {
    const match = findMatch(current, place, child);
    if (!match) {
      current.insertBefore(child, place);
      continue;
    }
    if (match === place) {
      place = place.nextSibling;
    } else {
      current.insertBefore(match, place);
    }
    if (match.nodeType === Node.ELEMENT_NODE) {
      morph(match, child);
    } else if (match.nodeValue !== child.nodeValue) {
      match.nodeValue = child.nodeValue;
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function findMatch(parent, place, wanted) {
  if (wanted.id) {
    const found = document.getElementById(wanted.id);
    return found?.parentNode === parent && found.nodeName === wanted.nodeName ? found : null;
  }
  return place && !place.id && place.nodeName === wanted.nodeName ? place : null;
}

function morphAttributes(current, wanted) {
  for (const { name } of [...current.attributes]) {
    if (!wanted.hasAttribute(name) && !KEPT_ATTRIBUTES.has(name)) current.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (current.getAttribute(name) !== value) current.setAttribute(name, value);
  }
}

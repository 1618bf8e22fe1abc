"use strict";

// Shows the OpenAPI document. Everything is put in as text: nothing that stands in it can become markup.

const METHODS = ["get", "post", "put", "patch", "delete"];

function make(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const nameOf = (ref) => ref.split("/").pop();

function typeOf(schema) {
  if (schema === true || schema === undefined) return ["anything"];
  if (schema.$ref) return [make("a", { href: `#model-${nameOf(schema.$ref)}` }, nameOf(schema.$ref))];
  const variants = schema.anyOf || schema.oneOf;
  if (variants) return variants.flatMap((one, at) => (at ? [" or ", ...typeOf(one)] : typeOf(one)));
  if (schema.enum) return [schema.enum.map((one) => JSON.stringify(one)).join(" | ")];
  if ("const" in schema) return [JSON.stringify(schema.const)];
  if (schema.type === "array") return ["list of ", ...typeOf(schema.items)];
  if (schema.type === "object" && schema.additionalProperties) return ["object of ", ...typeOf(schema.additionalProperties)];
  return [schema.type || "anything"];
}

function bounds(schema) {
  const known = { pattern: "pattern", minimum: "at least", maximum: "at most", default: "default", maxItems: "at most" };
  return Object.entries(known)
    .filter(([key]) => schema && key in schema)
    .map(([key, words]) => `${words} ${JSON.stringify(schema[key])}`)
    .join("; ");
}

function table(heads, rows) {
  const head = make("tr", {}, ...heads.map((one) => make("th", { scope: "col" }, one)));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", {}, ...[cell].flat()))));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, head), make("tbody", {}, ...body)));
}

function fields(schema) {
  const needed = schema.required || [];
  const rows = Object.entries(schema.properties || {}).map(([name, one]) => [
    make("code", {}, name),
    typeOf(one),
    [needed.includes(name) ? "" : "may be left out", one.description, bounds(one)].filter(Boolean).join("; "),
  ]);
  return table(["field", "type", ""], rows);
}

function contentOf(part) {
  return Object.entries(part.content || {}).flatMap(([kind, one]) => [make("code", {}, kind), " ", ...typeOf(one.schema), " "]);
}

function operation(path, method, found) {
  const parts = [make("p", {}, found.description)];
  if (found.parameters.length) {
    const rows = found.parameters.map((one) => [
      make("code", {}, one.name),
      one.in,
      typeOf(one.schema),
      [one.required ? "needed" : "", one.description, bounds(one.schema)].filter(Boolean).join("; "),
    ]);
    parts.push(make("h4", {}, "Parameters"), table(["name", "in", "type", ""], rows));
  }
  if (found.requestBody) parts.push(make("h4", {}, "Body"), make("p", {}, ...contentOf(found.requestBody)));
  const answers = Object.entries(found.responses).map(([status, one]) => [
    make("code", {}, status),
    contentOf(one),
    make("span", {}, one.description),
  ]);
  parts.push(make("h4", {}, "Answers"), table(["status", "content", ""], answers));
  const summary = make(
    "summary",
    {},
    make("span", { class: "method" }, method.toUpperCase()),
    make("code", {}, path),
    make("span", { class: "about" }, found.summary),
  );
  return make("details", { id: found.operationId }, summary, make("div", {}, ...parts));
}

function show(found) {
  document.getElementById("about").textContent = `Version ${found.info.version}. ${found.info.description}`;
  const list = document.getElementById("list");
  const contents = document.getElementById("contents");
  let tag = "";
  for (const [path, methods] of Object.entries(found.paths)) {
    for (const method of METHODS.filter((one) => one in methods)) {
      const one = methods[method];
      if (one.tags[0] !== tag) {
        tag = one.tags[0];
        if (!document.getElementById(`tag-${tag}`)) {
          list.append(make("h3", { id: `tag-${tag}` }, tag));
          contents.append(make("a", { href: `#tag-${tag}` }, tag));
        }
      }
      list.append(operation(path, method, one));
    }
  }
  const models = document.getElementById("models");
  for (const [name, schema] of Object.entries(found.components.schemas)) {
    const inside = schema.properties ? fields(schema) : make("p", {}, ...typeOf(schema));
    const about = make("p", {}, schema.description || "");
    const summary = make("summary", {}, make("code", {}, name));
    models.append(make("details", { id: `model-${name}` }, summary, make("div", {}, about, inside)));
  }
  open();
}

// A link into the page opens what it points to.
function open() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
  if (target) target.scrollIntoView();
}

async function start() {
  try {
    const answer = await fetch("/openapi.json");
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    show(await answer.json());
  } catch (error) {
    document.getElementById("about").textContent = `The document can't be shown: ${error.message}`;
  }
}

window.addEventListener("hashchange", open);
start();

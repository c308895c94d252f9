// The documentation of the API, drawn from its own description.

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// What a schema is, in a few words; objects are linked to.
function typeOf(schema) {
  const made = element("span");
  if (!schema) return made;
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    const link = element("a", name);
    link.href = `#${name}`;
    made.append(link);
  } else if (schema.anyOf) {
    schema.anyOf.forEach((one, number) => made.append(number ? " or " : "", typeOf(one)));
  } else if (schema.enum) {
    made.append(schema.enum.map((one) => JSON.stringify(one)).join(" | "));
  } else if (schema.type === "array") {
    made.append("list of ", schema.items ? typeOf(schema.items) : `${schema.minItems ?? "any"} values`);
  } else {
    made.append(schema.contentMediaType ?? schema.type ?? "anything");
    if (schema.minimum !== undefined || schema.maximum !== undefined)
      made.append(` ${schema.minimum ?? ""} ... ${schema.maximum ?? ""}`);
  }
  if (schema.default !== undefined && schema.default !== null)
    made.append(`, ${JSON.stringify(schema.default)} if not given`);
  return made;
}

function table(rows) {
  const made = element("table");
  const head = made.createTHead().insertRow();
  for (const title of ["Name", "Type", ""]) head.append(element("th", title));
  const body = made.createTBody();
  for (const [name, type, what] of rows) {
    const row = body.insertRow();
    const cell = element("td");
    cell.append(element("code", name));
    const kind = element("td");
    kind.append(type);
    row.append(cell, kind, element("td", what));
  }
  return made;
}

function endpoint(method, path, one) {
  const made = element("details");
  made.id = one.operationId;
  const summary = element("summary");
  summary.append(element("span", method.toUpperCase(), "method"), element("span", path, "path"),
    element("span", one.summary, "what"));
  const inside = element("div", undefined, "inside");
  if (one.parameters.length) {
    inside.append(element("h3", "Parameters"), table(one.parameters.map((parameter) => [
      parameter.name, typeOf(parameter.schema), parameter.description ?? (parameter.in === "path" ? "in the path" : ""),
    ])));
  }
  if (one.requestBody) {
    inside.append(element("h3", "Body"), table(Object.entries(one.requestBody.content).map(
      ([type, media]) => [type, typeOf(media.schema), ""])));
  }
  inside.append(element("h3", "Answers"), table(Object.entries(one.responses).map(([status, answer]) => {
    const [media] = Object.values(answer.content ?? {});
    return [status, typeOf(media?.schema), answer.description];
  })));
  made.append(summary, inside);
  return made;
}

function schema(name, one) {
  const made = element("details");
  made.id = name;
  const summary = element("summary");
  summary.append(element("span", name, "path"), element("span", one.description ?? "", "what"));
  const inside = element("div", undefined, "inside");
  const needed = new Set(one.required ?? []);
  inside.append(table(Object.entries(one.properties ?? {}).map(
    ([field, kind]) => [field, typeOf(kind), needed.has(field) ? "required" : ""])));
  made.append(summary, inside);
  return made;
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.scrollIntoView();
  }
}

async function draw() {
  const about = document.getElementById("about");
  try {
    const answer = await fetch("v1/openapi.json");
    const api = await answer.json();
    about.textContent = api.info.description;
    const endpoints = document.getElementById("endpoints");
    for (const [path, methods] of Object.entries(api.paths))
      for (const [method, one] of Object.entries(methods)) endpoints.append(endpoint(method, path, one));
    const schemas = document.getElementById("schemas");
    for (const [name, one] of Object.entries(api.components.schemas)) schemas.append(schema(name, one));
    openTarget();
  } catch (error) {
    about.textContent = `The description cannot be read: ${error.message}`;
  }
}

addEventListener("hashchange", openTarget);
draw();

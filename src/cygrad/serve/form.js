"use strict";
const form = document.querySelector("form"), answer = document.querySelector("#answer");
const label = (value) => typeof value === "number" ? value.toPrecision(6).replace(/\.?0+($|e)/, "$1") : String(value);

async function post(body, kind) {
  const response = await fetch("invocations", {method: "POST", headers: {"content-type": kind}, body});
  const content = await response.json();
  if (!response.ok) throw new Error(content.message);
  return content.predictions;
}

function element(tag, text, kind) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function bars(classes, probabilities) {
  const table = element("table", undefined, "bars");
  const order = classes.map((name, i) => [probabilities[i], name]).sort((a, b) => b[0] - a[0]).slice(0, 20);
  for (const [p, name] of order) {
    const row = table.insertRow(), head = element("th", name), cell = element("td"), bar = element("div", "", "share");
    bar.style.width = `${100 * p}%`;
    cell.append(bar);
    row.append(head, cell, element("td", `${(100 * p).toFixed(1)} %`, "number"));
  }
  return table;
}

function listed(predictions) {
  const list = element("table");
  for (const one of predictions) {
    const row = list.insertRow();
    for (const value of typeof one === "object" ? Object.values(one) : [one]) row.append(element("td", label(value)));
  }
  return list;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  answer.replaceChildren(element("p", "…"));
  try {
    const csv = form.elements.rows, classes = JSON.parse(form.dataset.classes);
    if (csv) {
      answer.replaceChildren(listed(await post(csv.value, "text/csv")));
    } else {
      const record = {};
      for (const input of form.querySelectorAll("[data-column]")) {
        const text = input.value.trim();
        record[input.dataset.column] = text === "" ? null : input.dataset.kind === "number" ? Number(text) : text;
      }
      const rows = {dataframe_records: [record]};
      const [prediction] = await post(JSON.stringify(rows), "application/json");
      answer.replaceChildren(element("p", label(prediction), "prediction"));
      if (classes.length) {
        const [shares] = await post(JSON.stringify({...rows, params: {proba: true}}), "application/json");
        answer.append(bars(classes, shares));
      }
    }
  } catch (error) {
    answer.replaceChildren(element("div", error.message, "warning"));
  }
  answer.scrollIntoView({block: "nearest"});
});

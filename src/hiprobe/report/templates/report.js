"use strict";
// Draws each chart when it comes into sight: a report may hold hundreds.

const PRINTED_WIDTH = 660;
const FONT = { family: "system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif", size: 12 };

function clock(begun, seconds) {
  return new Date((begun + seconds) * 1000).toISOString().slice(0, 19).replace("T", " ");
}

async function unpack() {
  const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
}

function figure(data) {
  // Seconds as moments from midnight on: of a date axis Plotly puts the ticks at whole seconds, minutes and hours.
  const at = (seconds) => new Date(seconds * 1000).toISOString().slice(0, -1);
  const probability = [...data.scores, data.threshold].every((score) => score >= 0 && score <= 1);
  const times = data.times.map(at);
  const format = data.duration < 3600 ? "%-M:%S" : "%-H:%M:%S";
  const when = data.begun === null ? undefined : data.times.map((time) => clock(data.begun, time));
  const line = { type: "scatter", mode: "lines", x: times };
  const traces = [
    { ...line, y: data.scores, line: { width: 1 }, hovertemplate: "score %{y:.2f}<extra></extra>" },
    { ...line, y: data.smoothed, line: { width: 2 }, text: when, hovertemplate: `smoothed %{y:.2f}${when ? "<br>%{text}" : ""}<extra></extra>` },
  ];
  const level = { type: "line", xref: "paper", x0: 0, x1: 1, y0: data.threshold, y1: data.threshold, line: { width: 1.5, dash: "dash" } };
  const shade = ([start, end]) => ({ type: "rect", layer: "below", yref: "paper", y0: 0, y1: 1, x0: at(start), x1: at(end), fillcolor: "#d9661f", opacity: 0.2, line: { width: 0 } });
  // Above the curve, which means nothing there; the style tells them by this layer.
  const veil = (span) => ({ ...shade(span), layer: "above", fillcolor: "#808080" });
  const number = ([start, end], index) => ({ x: at((start + end) / 2), y: 1, yref: "paper", yanchor: "bottom", text: String(index + 1), showarrow: false });
  const touch = matchMedia("(pointer: coarse)").matches;
  const layout = {
    margin: { l: 36, r: 12, t: 20, b: 32 }, font: FONT, showlegend: false, hovermode: "x unified", hoverlabel: { bgcolor: "#ffffff", font: FONT },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    dragmode: touch ? false : "zoom", // a finger on the chart is to scroll the page
    xaxis: { type: "date", range: [0, at(data.duration)], tickformat: format, hoverformat: `${format}.%1f`, showgrid: false, nticks: 8, ticklabelstandoff: 6 },
    yaxis: { range: probability ? [0, 1.02] : undefined, fixedrange: true, nticks: 5, zeroline: false },
    shapes: [level, ...data.events.map(shade), ...data.unjudged.map(veil)],
    annotations: data.events.length <= 20 ? data.events.map(number) : [],
  };
  return [traces, layout, { displayModeBar: false, responsive: true }];
}

function draw(chart) {
  if (chart.dataset.drawn) return;
  chart.dataset.drawn = "yes";
  Plotly.newPlot(chart, ...figure(JSON.parse(chart.nextElementSibling.textContent)));
}

const charts = [...document.querySelectorAll(".chart")];
unpack().then(() => {
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
  }, { rootMargin: "400px" });
  charts.forEach((chart) => seen.observe(chart));
  // Paper shows what nobody scrolled to, too, and has a width of its own.
  addEventListener("beforeprint", () => charts.forEach((chart) => { draw(chart); Plotly.relayout(chart, { width: PRINTED_WIDTH }); }));
  addEventListener("afterprint", () => charts.forEach((chart) => Plotly.relayout(chart, { width: null, autosize: true })));
});

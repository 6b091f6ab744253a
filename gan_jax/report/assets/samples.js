// Sample grids of the selected runs at one step, which a slider sets.

const GRIDS_AT_ONCE = 12;
let mostGrids = GRIDS_AT_ONCE;

function drawGrids() {
  const runs = [...selected].sort((a, b) => a - b).filter((run) => data.runs[run].grids.length);
  const shown = runs.slice(0, mostGrids);
  const steps = [...new Set(shown.flatMap((run) => data.runs[run].grids.map(([step]) => step)))].sort((a, b) => a - b);
  const slider = document.getElementById("sample-slider");
  const wasLast = Number(slider.value) >= Number(slider.max);
  slider.max = Math.max(steps.length - 1, 0);
  if (wasLast) slider.value = slider.max;
  const figures = shown.map((run) => {
    const picture = element("img", { loading: "lazy", alt: `samples of ${data.runs[run].name}` });
    picture.onload = () => picture.classList.toggle("enlarged", picture.naturalWidth < picture.clientWidth);
    const caption = element("figcaption");
    const show = (step) => {
      const grids = data.runs[run].grids;
      const [at, address] = grids.filter(([first]) => first <= step).pop() ?? grids[0];
      if (picture.getAttribute("src") !== address) picture.src = address;
      caption.textContent = `${data.runs[run].name}, step ${formatted(at)}`;
    };
    return { show, node: element("figure", {}, picture, caption) };
  });
  slider.oninput = () => {
    const step = steps[Number(slider.value)] ?? 0;
    document.getElementById("sample-step").textContent = `step ${formatted(step)}`;
    for (const { show } of figures) show(step);
  };
  slider.oninput();
  document.getElementById("grids").replaceChildren(...figures.map(({ node }) => node));
  const more = document.getElementById("more-grids");
  more.hidden = runs.length <= mostGrids;
  more.onclick = () => { mostGrids += GRIDS_AT_ONCE; drawGrids(); };
}

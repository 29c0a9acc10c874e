// Lesson 11: the tokens after every layer, and what is left of their differences.

export function step(points, weights, angle, { skip, sharpness, branch }) {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const asks = points.map(([x, y]) => [x * weights[0][0] + y * weights[1][0], x * weights[0][1] + y * weights[1][1]]);
  return points.map(([x, y], i) => {
    const row = softmax(points.map((point) => (sharpness * dot(asks[i], point)) / Math.SQRT2));
    const a = row.reduce((sum, weight, j) => sum + weight * points[j][0], 0);
    const b = row.reduce((sum, weight, j) => sum + weight * points[j][1], 0);
    return [skip * x + branch * (a * cos + b * sin), skip * y + branch * (b * cos - a * sin)];
  });
}

const middle = (points) => [0, 1].map((c) => points.reduce((sum, point) => sum + point[c], 0) / points.length);

// √(‖X‖₁‖X‖_∞): the largest sum of a column, and of a row
function size(points) {
  const columns = [0, 1].map((c) => points.reduce((sum, point) => sum + Math.abs(point[c]), 0));
  const rows = points.map(([x, y]) => Math.abs(x) + Math.abs(y));
  return Math.sqrt(Math.max(...columns) * Math.max(...rows));
}

export function residual(points) {
  const mean = middle(points);
  const whole = size(points);
  return whole > 0 ? size(points.map(([x, y]) => [x - mean[0], y - mean[1]])) / whole : 0;
}

export function cosine(points) {
  const units = points.map(([x, y]) => {
    const length = Math.hypot(x, y);
    return length > 0 ? [x / length, y / length] : [0, 0];
  });
  const n = points.length;
  const all = units.reduce((sum, a) => sum + units.reduce((inner, b) => inner + dot(a, b), 0), 0);
  const own = units.reduce((sum, a) => sum + dot(a, a), 0);
  return (all - own) / (n * (n - 1));
}

export function compute(state) {
  const branch = state.scaled ? 1 / Math.sqrt(state.angles.length) : 1;
  const states = [state.tokens];
  state.angles.forEach((angle, l) => states.push(step(states[l], state.scores[l], angle, { ...state, branch })));
  return { points: states[state.layer], residuals: states.map(residual), cosines: states.map(cosine) };
}

// Drawn at one size whatever they have grown to: divided by their root mean square length.
export function drawnAt(points) {
  const length = Math.sqrt(points.reduce((sum, point) => sum + dot(point, point), 0) / points.length);
  return points.map(([x, y]) => (length > 0 ? [x / length, y / length] : [0, 0]));
}

// How many places the eye can tell apart: tokens nearer than a hundredth of their length count as one.
export function places(points) {
  const seen = [];
  for (const [x, y] of drawnAt(points))
    if (!seen.some(([a, b]) => Math.hypot(x - a, y - b) < 0.01)) seen.push([x, y]);
  return seen.length;
}

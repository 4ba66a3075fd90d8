"""The job's bars as the peers take them, who all start from pandas."""

import numpy as np
import pandas as pd
from job import FIRST_MS, columns_file


def read_frame(folder: str, bars: int) -> pd.DataFrame:
    """Read the bars as a frame with naive UTC times as its index."""
    index = pd.date_range(pd.Timestamp(FIRST_MS, unit="ms"), periods=bars, freq="h", name="timestamp")
    columns = ["open", "high", "low", "close", "volume"]
    return pd.DataFrame(np.load(columns_file(folder, bars)), index=index, columns=columns)

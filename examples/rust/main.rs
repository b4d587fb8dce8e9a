// Prices and deltas of options by the library `options`, through its C interface.
//
//     graphc build ../../examples/rust/model.py:price ... -o build/options       (see README.md)
//     rustc -O main.rs -C link-arg=build/options/options.a -o main
use std::ffi::{c_char, CStr};

extern "C" {
    fn options_price(
        n: i64, spot: *const f64, strike: *const f64, years: *const f64, rate: f64, volatility: f64,
        result: *mut f64, workspace: *mut u8, workspace_bytes: i64,
    ) -> i32;
    fn options_price_workspace_bytes(n: i64) -> i64;
    fn options_delta(
        n: i64, spot: *const f64, strike: *const f64, years: *const f64, rate: f64, volatility: f64,
        result: *mut f64, workspace: *mut u8, workspace_bytes: i64,
    ) -> i32;
    fn options_delta_workspace_bytes(n: i64) -> i64;
    fn options_strerror(code: i32) -> *const c_char;
}

type Call = unsafe extern "C" fn(
    i64, *const f64, *const f64, *const f64, f64, f64, *mut f64, *mut u8, i64,
) -> i32;

/// What one of the functions answers for options that differ in `spot`, `strike` and `years`.
fn run(
    call: Call, bytes: i64, spot: &[f64], strike: &[f64], years: &[f64], rate: f64, volatility: f64,
) -> Result<Vec<f64>, String> {
    let message = |code: i32| unsafe {
        CStr::from_ptr(options_strerror(code)).to_string_lossy().into_owned()
    };
    if bytes < 0 {
        return Err(message(-bytes as i32));
    }
    assert!(spot.len() == strike.len() && spot.len() == years.len());
    let mut workspace = vec![0u8; bytes as usize];
    let mut result = vec![0.0; spot.len()];
    let code = unsafe {
        call(
            spot.len() as i64, spot.as_ptr(), strike.as_ptr(), years.as_ptr(), rate, volatility,
            result.as_mut_ptr(), workspace.as_mut_ptr(), bytes,
        )
    };
    if code == 0 { Ok(result) } else { Err(message(code)) }
}

fn main() -> Result<(), String> {
    let spot = [90.0, 100.0, 110.0];
    let (strike, years) = ([100.0; 3], [1.0, 1.0, 0.5]);
    let n = spot.len() as i64;
    let bytes = unsafe { (options_price_workspace_bytes(n), options_delta_workspace_bytes(n)) };
    let prices = run(options_price, bytes.0, &spot, &strike, &years, 0.03, 0.2)?;
    let deltas = run(options_delta, bytes.1, &spot, &strike, &years, 0.03, 0.2)?;
    for k in 0..spot.len() {
        println!("spot {:6.2}: price {:.12}, delta {:.12}", spot[k], prices[k], deltas[k]);
    }
    Ok(())
}

//! CCM and CCMP against published vectors. RFC 3610's are in this repository; the others are looked for in the directory
//! that `POLYRADIO_VECTORS` names, or beside the repository, and a test says so where they are absent.

#![expect(clippy::unwrap_used, clippy::print_stderr, clippy::indexing_slicing, reason = "tests may panic and say why")]

use std::path::{Path, PathBuf};

use polyradio_core::ids::{KeyId, PacketNumber};
use polyradio_core::security::ccm::{Ccm, CcmError};
use polyradio_core::security::ccmp::{CcmpHeader, CcmpKey, OpenError};
use serde_json::Value;

#[test]
fn rfc_3610_packet_vectors() {
    let file: Value = serde_json::from_str(include_str!("../../tests/vectors/ccm/rfc3610.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 24);
    for vector in vectors {
        let [key, nonce, aad, plaintext, sealed] =
            ["key", "nonce", "aad", "plaintext", "sealed"].map(|field| octets(vector, field));
        let ccm = Ccm::new(&key, nonce.len(), sealed.len() - plaintext.len()).unwrap();
        check_ccm(&ccm, &nonce, &aad, &plaintext, &sealed, "rfc3610");
    }
}

#[test]
fn ccm_vectors_of_all_collections() {
    for (name, count) in
        [("rfc3610", 24), ("nist_cavp", 1300), ("wycheproof_aes", 225), ("sp800_38c", 3), ("boringssl_bluetooth", 11)]
    {
        let Some(file) = read(&format!("ccm/{name}_ccm.json")) else { return };
        let tests = file["tests"].as_array().unwrap();
        assert_eq!(tests.len(), count);
        for test in tests {
            let id = test["id"].as_str().unwrap();
            let [key, nonce, aad, plaintext, ciphertext, tag] =
                ["key", "nonce", "aad", "pt", "ct", "tag"].map(|field| octets(test, field));
            let sealed = [ciphertext, tag.clone()].concat();
            let ccm = Ccm::new(&key, nonce.len(), tag.len());
            if test["result"] == "valid" {
                check_ccm(&ccm.unwrap(), &nonce, &aad, &plaintext, &sealed, id);
                continue;
            }
            let mut out = vec![0xaa; plaintext.len()];
            match ccm.and_then(|ccm| ccm.open(&nonce, &aad, &sealed, &mut out)) {
                Err(CcmError::MicFailed) => assert!(out.iter().all(|octet| *octet == 0), "{id}"),
                Err(CcmError::InvalidNonce(length)) => assert_eq!(length, nonce.len(), "{id}"),
                Err(CcmError::InvalidTag(length)) => assert_eq!(length, tag.len(), "{id}"),
                other => panic!("{id} is invalid and gave {other:?}"),
            }
        }
    }
}

#[test]
fn mpdu_vectors_of_the_standard() {
    let Some(file) = read("ieee80211/mpdu_vectors.json") else { return };
    let mut count = 0;
    for test in file["tests"].as_array().unwrap() {
        if !test["cipher"].as_str().is_some_and(|cipher| cipher.starts_with("CCMP")) {
            continue;
        }
        count += 1;
        let id = test["id"].as_str().unwrap();
        let key = CcmpKey::new(&octets(test, "tk")).unwrap();
        let [header, body, mpdu] = ["header", "plaintext", "mpdu"].map(|field| octets(test, field));
        let number = PacketNumber::new(u64::from_str_radix(test["pn"].as_str().unwrap(), 16).unwrap()).unwrap();
        let key_id = KeyId::new(u8::try_from(test["keyid"].as_u64().unwrap()).unwrap()).unwrap();
        if test["current_standard"] != false {
            check_ccmp(&key, &[header, body].concat(), number, key_id, &mpdu, id);
            continue;
        }
        // Older than 802.11n: Order set in QoS data meant no HT Control field, and was authenticated. Today it announces
        // one, which is not authenticated. So the figures of today's rule hold for the frame without the bit, and for the
        // frame with the bit and four octets more.
        assert!(key.open(&mpdu, &mut Vec::new()).is_err(), "{id}: the outdated rule");
        let current = octets(test, "mpdu_current_rule");
        for ht_control in [&b""[..], b"\x01\x02\x03\x04"] {
            let with_field = |octets: &[u8]| {
                let mut frame = octets.to_vec();
                frame.splice(header.len()..header.len(), ht_control.iter().copied());
                frame[1] = frame[1] & 0x7f | u8::from(!ht_control.is_empty()) << 7;
                frame
            };
            let plain = with_field(&[header.clone(), body.clone()].concat());
            check_ccmp(&key, &plain, number, key_id, &with_field(&current), id);
        }
    }
    assert_eq!(count, 9);
}

#[test]
fn real_mpdus_of_captures() {
    let Some(file) = read("captures/real_mpdus.json") else { return };
    let mut count = 0;
    for test in file["mpdus"].as_array().unwrap() {
        if !test["cipher"].as_str().is_some_and(|cipher| cipher.starts_with("CCMP")) {
            continue;
        }
        count += 1;
        let id = format!("{} frame {}", test["capture"], test["frame"]);
        let key = CcmpKey::new(&octets(test, "key")).unwrap();
        let [mpdu, plaintext] = ["mpdu", "plaintext"].map(|field| octets(test, field));
        let ccmp = CcmpHeader::read(&mpdu).unwrap();
        let header = &mpdu[..mpdu.len() - 8 - key.mic_length() - plaintext.len()];
        check_ccmp(&key, &[header, &plaintext].concat(), ccmp.packet_number, ccmp.key_id, &mpdu, &id);
    }
    assert_eq!(count, 426);
}

fn check_ccm(ccm: &Ccm, nonce: &[u8], aad: &[u8], plaintext: &[u8], sealed: &[u8], id: &str) {
    let mut out = vec![0; sealed.len()];
    assert_eq!(ccm.seal(nonce, aad, plaintext, &mut out), Ok(()), "{id}");
    assert_eq!(out, sealed, "{id}");
    out.truncate(plaintext.len());
    assert_eq!(ccm.open(nonce, aad, sealed, &mut out), Ok(()), "{id}");
    assert_eq!(out, plaintext, "{id}");
}

fn check_ccmp(key: &CcmpKey, plain: &[u8], number: PacketNumber, key_id: KeyId, sealed: &[u8], id: &str) {
    let mut out = Vec::new();
    assert_eq!(key.seal(plain, number, key_id, &mut out), Ok(()), "{id}");
    assert_eq!(out, sealed, "{id}");
    out.clear();
    assert_eq!(key.open(sealed, &mut out), Ok(number), "{id}");
    let mut cleared = plain.to_vec();
    cleared[1] &= !0x40;
    assert_eq!(out, cleared, "{id}");
    let mut forged = sealed.to_vec();
    *forged.last_mut().unwrap() ^= 0x80;
    assert_eq!(key.open(&forged, &mut out), Err(OpenError::MicFailed), "{id}");
}

fn read(name: &str) -> Option<Value> {
    let Some(directory) = vectors() else {
        eprintln!("skipped: no vectors; POLYRADIO_VECTORS may name their directory");
        return None;
    };
    Some(serde_json::from_slice(&std::fs::read(directory.join(name)).unwrap()).unwrap())
}

fn vectors() -> Option<PathBuf> {
    if let Some(directory) = std::env::var_os("POLYRADIO_VECTORS") {
        return Some(directory.into());
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["../../shared/vectors", "../../../shared/vectors"]
        .map(|path| here.join(path))
        .into_iter()
        .find(|path| path.is_dir())
}

fn octets(test: &Value, field: &str) -> Vec<u8> {
    let digits = test[field].as_str().unwrap();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
